// What every target of `devtrust setup` has in common: a plan that is shown or carried out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/setup/file_change.h"

namespace devtrust::cli {

struct SetupOptions {
  std::string profile;    ///< empty: the one that has a current certificate
  bool system = false;    ///< for every user of the machine
  bool no_trust = false;  ///< do not copy the root of the certificate's chain into the roots that are believed
  bool dry_run = false;
};

struct Plan {
  std::vector<FileChange> changes;
  std::vector<std::string> done;   ///< what the changes mean, a line each
  std::vector<std::string> notes;  ///< what the user should know or do
};

/// What can be set up: "git".
std::vector<std::string_view> target_names();

/// Each ends with the process's exit code: 0, or 1 with one line on standard error. `target`: one of these; to
/// `unsetup` also "all", of which the first that fails keeps none of the others from being undone.
int setup(const std::string& target, const SetupOptions& options);
int unsetup(const std::string& target, const SetupOptions& options);

}  // namespace devtrust::cli
