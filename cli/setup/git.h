// `devtrust setup git`: commits and tags signed with the device's certificate, and believed.
#pragma once

#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_git_setup(const SetupOptions& options);
Result<Plan> plan_git_unsetup(const SetupOptions& options);

}  // namespace devtrust::cli
