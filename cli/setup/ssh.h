// `devtrust setup ssh`: the device's key as one of the keys that OpenSSH's client offers.
#pragma once

#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_ssh_setup(const SetupOptions& options);
Result<Plan> plan_ssh_unsetup(const SetupOptions& options);

/// The module that `ssh -G` says it loads; empty where there is none.
std::string ssh_module(const std::string& settings);

}  // namespace devtrust::cli
