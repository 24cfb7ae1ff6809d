// `devtrust setup ssh`: the device's key as one of the keys that OpenSSH's client offers.
#pragma once

#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_ssh_setup(const SetupOptions& options);
Result<Plan> plan_ssh_unsetup(const SetupOptions& options);

/// The module that `ssh -G` says it loads; empty where there is none.
std::string ssh_module(const std::string& settings);

/// kUnsupported where the ssh client that is installed does not load modules of others.
Result<void> ssh_can_load(const std::string& module);
/// The reason that OpenSSH gives where it cannot load a module; empty where it gives none.
std::string load_failure(const std::string& errors);

}  // namespace devtrust::cli
