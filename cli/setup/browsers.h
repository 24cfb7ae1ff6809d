// `devtrust setup firefox` and `devtrust setup chromium`: the module in the NSS databases that browsers read.
#pragma once

#include <string>
#include <vector>

#include "cli/setup/plan.h"
#include "identity/snapshot.h"

namespace devtrust::cli {

Result<Plan> plan_firefox_setup(const SetupOptions& options);
Result<Plan> plan_firefox_unsetup(const SetupOptions& options);
Result<Plan> plan_chromium_setup(const SetupOptions& options);
Result<Plan> plan_chromium_unsetup(const SetupOptions& options);

/// The folders of this user's Firefox profiles, each an NSS database; not those of a Snap or a Flatpak.
std::vector<std::string> firefox_profile_folders();
/// The one NSS database that Chromium and its kin read; it need not be there.
std::string chromium_database();
/// "Chromium, Google Chrome": those that are installed, or were used. Not those of a Snap or a Flatpak.
std::string chromium_browsers();
/// Where these read an administrator's policies.
std::vector<std::string> chromium_policy_folders();
/// Why the browser's Snap or Flatpak is not set up, a sentence each. `browser`: "firefox" or "chromium".
std::vector<std::string> confined_browsers(const std::string& browser);
/// Whether the certificate that the module would show is in this database, so that the browser shows it without.
bool holds_identity(const Snapshot& snapshot, const std::string& database);

}  // namespace devtrust::cli
