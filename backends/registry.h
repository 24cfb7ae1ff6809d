// The one place that knows which backends this build has.
#pragma once

#include <memory>
#include <vector>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// Sources for `config.stores`, or the platform's usual places where it names none. kInvalidConfig for a kind that this
/// build does not have.
Result<std::vector<std::unique_ptr<StoreSource>>> open_sources(const Config& config);

}  // namespace devtrust
