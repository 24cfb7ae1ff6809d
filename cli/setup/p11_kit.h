// `devtrust setup p11-kit`: the module in GnuTLS, wget, git and all else that goes through p11-kit.
#pragma once

#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_p11_kit_setup(const SetupOptions& options);
Result<Plan> plan_p11_kit_unsetup(const SetupOptions& options);

}  // namespace devtrust::cli
