// What setting a program up would change, before anything is changed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/setup/file_change.h"
#include "cli/setup/marked_block.h"

namespace devtrust::cli {

struct SetupOptions {
  std::string profile;       ///< empty: the one that has a current certificate
  bool system = false;       ///< for every user of the machine
  bool no_trust = false;     ///< do not copy the root of the certificate's chain into the roots that are believed
  bool auto_select = false;  ///< Firefox: answer every site that asks for a certificate
  bool dry_run = false;
};

/// Of what stands between our marks, what is not ours and stays when they go.
using Foreign = std::function<std::string(std::string_view)>;

struct Plan {
  std::vector<FileChange> changes;
  std::vector<std::string> done;     ///< what the changes mean, a line each
  std::vector<std::string> notes;    ///< what the user should know or do
  std::function<void()> afterwards;  ///< once the changes are made; nothing that has to succeed

  /// Adds our lines to the file, or renews them. `mode`: of a file that is new.
  Result<void> put(const MarkedBlock& block, const std::string& path, std::string_view lines, Mode mode, bool shared);
  /// Takes them out again; nothing where they are not there.
  Result<void> take(const MarkedBlock& block, const std::string& path, const Foreign& foreign = {});
};

/// Where a text is a word of a shell, of environment.d(5) or of ssh_config(5): as it is, or in double quotes.
std::string quoted_word(std::string_view text);

}  // namespace devtrust::cli
