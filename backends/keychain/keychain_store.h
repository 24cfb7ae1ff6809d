// macOS' keychains as stores of identities.
#pragma once

#include <memory>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// The keychains of agents that have one of their own, then the user's search list, the system's, and the
/// data-protection keychain. `config.prompt`: whether the use of a key may ask the user.
std::unique_ptr<StoreSource> keychain_usual_places(const StoreConfig& config);

/// The one file that `config.path` names, with or without macOS' "-db" at its end.
std::unique_ptr<StoreSource> keychain_at(const StoreConfig& config);

}  // namespace devtrust
