// What can be set up on this system.
#pragma once

#include <span>
#include <string_view>

#include "cli/setup/plan.h"

namespace devtrust::cli {

struct Target {
  std::string_view name;
  bool (*is_installed)();  ///< whether there is something to set up
  Result<Plan> (*setup)(const SetupOptions&);
  Result<Plan> (*unsetup)(const SetupOptions&);
};

std::span<const Target> targets();

}  // namespace devtrust::cli
