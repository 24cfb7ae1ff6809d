// A private key whose bytes are in this process, over EVP_PKEY.
#pragma once

#include <memory>

#include "identity/openssl.h"
#include "identity/private_key.h"

namespace devtrust {

class SoftwareKey final : public PrivateKey {
 public:
  /// Takes `key`, which must be of our library context. kKeyMismatch where its public part or its secret is not that of
  /// `public_key`.
  static Result<std::shared_ptr<const SoftwareKey>> from_evp(EvpPkeyPtr key, const PublicKey& public_key,
                                                             KeyTraits traits);
  /// Completes an RSA key from one prime factor of the modulus: all else follows from it and the public key, so nothing
  /// but the right prime is accepted. `coefficient`: the smaller prime's inverse modulo the larger one, where it
  /// is known; where it is empty or wrong, it is computed, which takes 0.1 ms for RSA-2048. Big-endian.
  static Result<std::shared_ptr<const SoftwareKey>> from_rsa_prime(const PublicKey& public_key,
                                                                   const SecureBytes& prime,
                                                                   const SecureBytes& coefficient, KeyTraits traits);
  /// EC: the big-endian scalar; Edwards curves: the seed. Accepted only if its public point is `public_key`'s.
  static Result<std::shared_ptr<const SoftwareKey>> from_scalar(const PublicKey& public_key, const SecureBytes& scalar,
                                                                KeyTraits traits);
  ~SoftwareKey() override;

  bool can_sign(const SignScheme& scheme) const override;
  bool can_decrypt(const CipherScheme& scheme) const override;
  bool can_derive() const override;
  bool intact() const override { return true; }
  Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const override;
  Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) const override;
  Result<SecureBytes> derive(ByteView peer) const override;
  Result<void> prepare() const override { return {}; }

  /// What any software key of this type can do; for keys that are not at hand yet.
  static bool type_can_sign(KeyType type, const SignScheme& scheme);
  static bool type_can_decrypt(KeyType type, const CipherScheme& scheme);
  static bool type_can_derive(KeyType type);

 private:
  class Pool;
  SoftwareKey(EvpPkeyPtr key, PublicKey public_key, KeyTraits traits);
  EvpPkeyPtr key_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace devtrust
