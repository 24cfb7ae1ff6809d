// The password-based encryption of NSS databases: of secret attributes and of the password check.
#pragma once

#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust {

/// What every decryption starts from: the global salt's hash (SHA-1, or SHA-384 for a salt of 48 bytes) with the
/// password.
Result<SecureBytes> hash_nss_password(ByteView global_salt, std::string_view password);

/// `encrypted`: DER SEQUENCE { AlgorithmIdentifier, OCTET STRING }, with PBES2 (PBKDF2, AES-CBC) or the older
/// pbeWithSha1AndTripleDES-CBC. kCorrupt where it is neither; kDecryptionFailed where the padding shows a wrong
/// password.
Result<SecureBytes> decrypt_nss_value(ByteView encrypted, const SecureBytes& password_hash);

}  // namespace devtrust
