// One NSS database as a store of identities.
#pragma once

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// `config.path`: the folder, without "sql:". `config.pin_source`: where the password is, if anywhere.
std::shared_ptr<Store> make_nss_store(const StoreConfig& config);

}  // namespace devtrust
