// What Security.framework's errors mean to a person.
#pragma once

#include "backends/keychain/security.h"
#include "identity/result.h"

namespace devtrust {

/// The message does not name the keychain or the key.
Error keychain_error(const security::Failure& failure);
/// The same for a decryption, where rubbish may be the ciphertext's fault.
Error keychain_decryption_error(const security::Failure& failure);

/// Whether macOS would have asked the user, and may not.
bool wanted_to_ask(const security::Failure& failure);
/// Whether there is no such item, which is the answer to a search, too.
bool nothing_found(const security::Failure& failure);
/// Whether the data-protection keychain is closed to this program, as it is to most.
bool no_entitlement(const security::Failure& failure);

/// kIo in a forked child that ran no program of its own: nothing of Security.framework works there.
Result<void> keychains_usable();

}  // namespace devtrust
