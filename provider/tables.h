// The function tables that each operation hands to libcrypto: provider-base(7), "Provider functions".
#pragma once

#include <openssl/core.h>

namespace devtrust::provider {

/// Functions in OpenSSL's tables have lost their types; who reads a number casts back.
template <typename F>
OSSL_DISPATCH entry(int number, F* function) {
  return {number, reinterpret_cast<void (*)()>(function)};
}

const OSSL_ALGORITHM* key_management_algorithms();
const OSSL_ALGORITHM* signature_algorithms();
const OSSL_ALGORITHM* asymmetric_cipher_algorithms();
const OSSL_ALGORITHM* key_exchange_algorithms();
const OSSL_ALGORITHM* encoder_algorithms();
const OSSL_ALGORITHM* decoder_algorithms();
const OSSL_ALGORITHM* store_algorithms(bool pkcs11_uris);

}  // namespace devtrust::provider
