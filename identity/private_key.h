// A private key, wherever it lives.
#pragma once

#include <string>

#include "identity/public_key.h"

namespace devtrust {

/// What the store says of a key: attributes that PKCS#11 shows and that nobody may make up.
struct KeyTraits {
  std::string label;  ///< the store's own name for it; may be empty
  bool may_sign = true;
  bool may_decrypt = true;
  bool may_derive = true;
  bool always_sensitive = false;   ///< was never outside of the store in the clear
  bool never_extractable = false;  ///< could never be taken out of the store
  bool local = false;              ///< was generated in the store
};

/// Thread-safe; all calls are const. Nothing here prompts. Every failing call may return kLoginRequired (the store's
/// password is needed), kKeyMismatch (the secret is not that of `public_key()`: it is never used), kAccessDenied, kIo.
class PrivateKey {
 public:
  virtual ~PrivateKey() = default;
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;

  /// The public key that the store names for this one.
  const PublicKey& public_key() const { return public_key_; }
  const KeyTraits& traits() const { return traits_; }

  /// Whether the place where the key lives can do this at all: a mechanism list is a promise.
  virtual bool can_sign(const SignScheme& scheme) const = 0;
  virtual bool can_decrypt(const CipherScheme& scheme) const = 0;
  virtual bool can_derive() const = 0;
  /// Whether kRsaPkcs1 without a digest takes anything that fits, and not only the DigestInfo of some digests.
  virtual bool signs_any_data() const { return true; }
  /// False once a use has shown that the key can never work (it is not its certificate's, or does not decrypt): such an
  /// identity is passed over.
  virtual bool intact() const = 0;

  /// Writes the signature to `out`, at least `public_key().max_signature_size()` bytes long, and returns its length.
  virtual Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const = 0;
  virtual Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) const = 0;
  /// ECDH: the x coordinate of the shared point, `field_size()` bytes. `peer` is an uncompressed point on this key's
  /// curve.
  virtual Result<SecureBytes> derive(ByteView peer) const = 0;
  /// Makes the key ready without using it: what a first use would find wrong is found now.
  virtual Result<void> prepare() const = 0;

 protected:
  PrivateKey(PublicKey public_key, KeyTraits traits) : public_key_(std::move(public_key)), traits_(std::move(traits)) {}

 private:
  PublicKey public_key_;
  KeyTraits traits_;
};

}  // namespace devtrust
