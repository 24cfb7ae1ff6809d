// What the key APIs' error codes mean to a person.
#pragma once

#include <cstdint>

#include "identity/result.h"

namespace devtrust {

/// `code`: GetLastError's after a CryptoAPI function, or a CNG function's SECURITY_STATUS. The message does not name
/// the key.
Error key_error(std::uint32_t code);
/// The same for a decryption, where rubbish may be the ciphertext's fault.
Error decryption_error(std::uint32_t code);

}  // namespace devtrust
