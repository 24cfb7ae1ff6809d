// Where Firefox has its files on this system.
#pragma once

#include <string>
#include <vector>

#include "identity/result.h"

namespace devtrust::cli {

/// Where profiles.ini is, of every edition.
std::vector<std::string> firefox_roots();
/// kBusy where a Firefox runs with this profile.
Result<void> check_firefox_closed(const std::string& profile);

bool firefox_is_installed();
/// The policies that Firefox reads now, or would read once they are there.
std::vector<std::string> firefox_policy_files();
/// Wherever some of ours may be.
std::vector<std::string> all_firefox_policy_files();

}  // namespace devtrust::cli
