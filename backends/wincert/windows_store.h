// The Windows certificate stores as stores of identities.
#pragma once

#include <memory>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// Personal certificates ("MY") of this user and then of the machine, with the keys that Windows says belong to them;
/// their issuers from CA and Root of both. `config.prompt`: whether a key may ask the user.
std::unique_ptr<StoreSource> windows_stores(const StoreConfig& config);

}  // namespace devtrust
