// What every target of `devtrust setup` has in common: a plan that is shown or carried out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/setup/plan.h"

namespace devtrust::cli {

/// What can be set up: "git", "p11-kit", …
std::vector<std::string_view> target_names();

/// Each ends with the process's exit code: 0, or 1 with one line on standard error. `target`: one of these, or "all":
/// to `setup`, those whose program is installed. One that fails keeps none of the others from being set up, or undone;
/// one that has no place here (gpgsm with an EC key, Firefox without a profile) is said, and is no failure of "all".
int setup(const std::string& target, const SetupOptions& options);
int unsetup(const std::string& target, const SetupOptions& options);

}  // namespace devtrust::cli
