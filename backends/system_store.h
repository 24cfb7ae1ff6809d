// What the registry's part for one operating system tells the common one.
#pragma once

#include <memory>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// What the configuration calls the stores that are this operating system's own.
extern const char* const kSystemStore;

/// Such a store; the usual places where nothing is said of it. kInvalidConfig for settings that it has not.
Result<std::unique_ptr<StoreSource>> system_store_at(const StoreConfig& store);

}  // namespace devtrust
