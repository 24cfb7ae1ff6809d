// The forms in which Windows' key APIs have numbers, digests and public keys.
#pragma once

#include <optional>

#include "identity/public_key.h"

namespace devtrust {

/// CryptoAPI has numbers with their lowest byte first, and so has CNG a shared secret.
Bytes reversed(ByteView bytes);

/// What PKCS#1 v1.5 pads: which digest, and its value. `md5`: MD5, for which Digest has no name.
struct DigestInfo {
  Digest digest = Digest::kNone;
  bool md5 = false;
  ByteView value;  ///< of the bytes it was read from
};
/// The DigestInfo that `der` is, with the lengths that it must have; nothing where it is anything else.
std::optional<DigestInfo> parse_digest_info(ByteView der);
/// DER; `digest` is not kNone.
Bytes digest_info(Digest digest, ByteView value);

/// Whether CryptoAPI's PUBLICKEYBLOB is this RSA key.
bool csp_blob_is(ByteView blob, const PublicKey& key);
/// Whether CNG's BCRYPT_RSAPUBLIC_BLOB or BCRYPT_ECCPUBLIC_BLOB is this key.
bool cng_blob_is(ByteView blob, const PublicKey& key);
/// BCRYPT_ECCPUBLIC_BLOB for ECDH; `point`: uncompressed, on one of the three NIST curves.
Bytes ecdh_public_blob(ByteView point);

}  // namespace devtrust
