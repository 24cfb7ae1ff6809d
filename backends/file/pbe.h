// What a password protects in PEM and PKCS#12 files.
#pragma once

#include <openssl/x509.h>

#include <optional>
#include <string_view>

#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust {

/// Iterations, and scrypt's cost: a file may not keep its reader busy for ever.
inline constexpr long kMaxIterations = 5'000'000;

/// The plaintext of PBES2, PBES1 or PKCS#12's own forms. No password at all is not the same as an empty one to PKCS#12.
/// kUnsupported (an algorithm that libcrypto's default provider lacks, or too costly), kWrongPassword.
Result<SecureBytes> decrypt_pbe(const X509_ALGOR& algorithm, ByteView ciphertext,
                                std::optional<std::string_view> password);

/// A PEM key of the old kind, whose headers name the cipher. kCorrupt, kUnsupported, kWrongPassword.
Result<SecureBytes> decrypt_dek(std::string_view headers, ByteView ciphertext, std::string_view password);

}  // namespace devtrust
