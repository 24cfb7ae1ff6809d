// `devtrust setup firefox --system` and `devtrust setup chromium --system`: the policies that an administrator gives
// all users' browsers.
#pragma once

#include <string>
#include <vector>

#include "cli/device.h"
#include "cli/setup/plan.h"

namespace devtrust::cli {

/// Firefox: the module, as a security device.
Result<Plan> plan_firefox_policy_setup(const SetupOptions& options);
Result<Plan> plan_firefox_policy_unsetup();
/// Chromium and its kin: which certificate the sites of `[browser] urls` get without a question. `folders`: the
/// browsers' own, from chromium_policy_folders().
Result<Plan> plan_chromium_policy_setup(const SetupOptions& options, const std::vector<std::string>& folders);
Result<Plan> plan_chromium_policy_unsetup(const std::vector<std::string>& folders);

/// The module that Firefox's policies load; empty where they load none of ours. kCorrupt: they cannot be read.
Result<std::string> firefox_policy_module();

/// What a browser's policy of ours lacks; empty where it is as `[browser] urls` and the certificates have it, or where
/// it is not there and need not be.
std::string chromium_policy_fault(const Device& device, const std::string& folder);
/// Whether it is there.
bool has_chromium_policy(const std::string& folder);

}  // namespace devtrust::cli
