// `devtrust setup firefox`: the module in the NSS databases of Firefox's profiles.
#pragma once

#include <string>
#include <vector>

#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_firefox_setup(const SetupOptions& options);
Result<Plan> plan_firefox_unsetup(const SetupOptions& options);

/// The folders of this user's Firefox profiles, each an NSS database; not those of a Snap or a Flatpak.
std::vector<std::string> firefox_profile_folders();

}  // namespace devtrust::cli
