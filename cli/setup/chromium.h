// `devtrust setup chromium`: the module in the NSS database that Chromium and its kin read.
#pragma once

#include <string>
#include <vector>

#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_chromium_setup(const SetupOptions& options);
Result<Plan> plan_chromium_unsetup(const SetupOptions& options);

/// The one NSS database that Chromium and its kin read; it need not be there.
std::string chromium_database();
/// "Chromium, Google Chrome": those that are installed, or were used. Not those of a Snap or a Flatpak.
std::string chromium_browsers();
/// Where these read an administrator's policies.
std::vector<std::string> chromium_policy_folders();

}  // namespace devtrust::cli
