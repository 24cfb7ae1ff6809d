// Schemes in libcrypto's words; for the key classes only.
#pragma once

#include "identity/openssl.h"
#include "identity/result.h"
#include "identity/scheme.h"

namespace devtrust {

/// Sets padding, digests and salt length on a context that was initialised for signing or verifying.
bool apply_scheme(EVP_PKEY_CTX* context, const SignScheme& scheme);
/// The same for encrypting and decrypting.
bool apply_scheme(EVP_PKEY_CTX* context, const CipherScheme& scheme);
/// A context for `key` in our library context; null where memory is short or the key is none.
EvpPkeyCtxPtr new_context(EVP_PKEY* key);

}  // namespace devtrust
