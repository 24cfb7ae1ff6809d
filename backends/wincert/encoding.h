// The forms in which Windows' key APIs have numbers and public keys.
#pragma once

#include "identity/public_key.h"

namespace devtrust {

/// CryptoAPI has numbers with their lowest byte first, and so has CNG a shared secret.
Bytes reversed(ByteView bytes);

/// Whether CryptoAPI's PUBLICKEYBLOB is this RSA key.
bool csp_blob_is(ByteView blob, const PublicKey& key);
/// Whether CNG's BCRYPT_RSAPUBLIC_BLOB or BCRYPT_ECCPUBLIC_BLOB is this key.
bool cng_blob_is(ByteView blob, const PublicKey& key);
/// BCRYPT_ECCPUBLIC_BLOB for ECDH; `point`: uncompressed, on one of the three NIST curves.
Bytes ecdh_public_blob(ByteView point);

}  // namespace devtrust
