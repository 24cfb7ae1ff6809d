// A token of another PKCS#11 module as a store.
#pragma once

#include <memory>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

std::unique_ptr<StoreSource> token_store_at(const StoreConfig& config);

}  // namespace devtrust
