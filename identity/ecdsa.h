// The two forms of an ECDSA signature: DER, as X.509 and libcrypto have it, and r‖s, as PKCS#11 has it.
#pragma once

#include "identity/bytes.h"

namespace devtrust {

/// Writes r and s to `raw`, each in one half of it. False where `der` is no strict Ecdsa-Sig-Value or where a number is
/// longer than its half. Allocates nothing.
bool ecdsa_from_der(ByteView der, std::span<std::uint8_t> raw);

/// Two halves of the same length, of any length, as a DER Ecdsa-Sig-Value.
Bytes ecdsa_to_der(ByteView raw);

}  // namespace devtrust
