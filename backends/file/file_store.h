// PEM and PKCS#12 files that the configuration names: a container's or a CI runner's mounted secret.
#pragma once

#include <memory>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// `config.path`: PEM (certificates and keys in any order), PKCS#12, or one DER certificate. `config.key_path`: a key
/// in a file of its own. `config.pin_source`: the password of the keys or of the PKCS#12 file; without it an encrypted
/// PEM key asks for a login, and a PKCS#12 file must have none.
std::unique_ptr<StoreSource> file_store_at(const StoreConfig& config);

}  // namespace devtrust
