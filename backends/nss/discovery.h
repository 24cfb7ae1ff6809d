// Where NSS databases are.
#pragma once

#include <memory>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// The usual places of Linux: the user's shared database, Chromium's, every Firefox profile, Snap and Flatpak, the
/// system's. What appears later is found.
std::unique_ptr<StoreSource> nss_usual_places();

/// The one folder that `config.path` names ("sql:" before it is allowed).
std::unique_ptr<StoreSource> nss_store_at(const StoreConfig& config);

}  // namespace devtrust
