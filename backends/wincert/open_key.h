// A private key that one of Windows' two key APIs has opened.
#pragma once

#include <memory>

#include "backends/wincert/key_place.h"
#include "identity/public_key.h"

namespace devtrust {

/// Its handles are closed with it. One thread at a time. Errors do not name the key; kIo: the handle may be stale, and
/// opening the key anew may help.
class OpenKey {
 public:
  OpenKey() = default;
  virtual ~OpenKey() = default;
  OpenKey(const OpenKey&) = delete;
  OpenKey& operator=(const OpenKey&) = delete;

  virtual bool can_sign(const SignScheme& scheme) const = 0;
  virtual bool can_decrypt(const CipherScheme& scheme) const = 0;
  virtual bool can_derive() const = 0;
  virtual bool signs_any_data() const { return true; }
  /// As PrivateKey has them; only for what those above allow.
  virtual Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) = 0;
  virtual Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) = 0;
  virtual Result<SecureBytes> derive(ByteView peer) = 0;
};

/// In a cryptographic service provider, by CryptoAPI. `prompt`: whether the provider may ask the user. kKeyMismatch
/// where the key is not `public_key`'s.
Result<std::unique_ptr<OpenKey>> open_csp_key(const KeyPlace& place, const PublicKey& public_key, bool prompt);
/// In a key storage provider, by CNG. The same.
Result<std::unique_ptr<OpenKey>> open_cng_key(const KeyPlace& place, const PublicKey& public_key, bool prompt);

}  // namespace devtrust
