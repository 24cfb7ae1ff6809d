// A private key in a keychain, which signs where it is.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "backends/keychain/keychain_place.h"
#include "identity/private_key.h"

namespace devtrust {

/// Fetched from its identity when it is first asked for anything, and kept. What fails may have had a stale reference:
/// then the identity is looked for once more.
class KeychainKey final : public PrivateKey {
 public:
  /// `name` is for messages. `prompt`: whether macOS may ask the user.
  KeychainKey(std::string name, PublicKey public_key, std::shared_ptr<const KeychainPlace> place,
              KeychainPlace::Item identity, bool prompt);
  ~KeychainKey() override;

  /// Whether it is that certificate's.
  bool belongs_to(ByteView certificate) const { return equal(certificate, certificate_); }
  /// Whether keychains have keys of this type.
  static bool supported(KeyType type) { return type == KeyType::kRsa || type == KeyType::kEc; }

  bool can_sign(const SignScheme& scheme) const override;
  bool can_decrypt(const CipherScheme& scheme) const override;
  bool can_derive() const override;
  bool intact() const override;
  Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const override;
  Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) const override;
  Result<SecureBytes> derive(ByteView peer) const override;
  Result<void> prepare() const override;

 private:
  class Handle;
  std::shared_ptr<const Handle> kept() const;  ///< may be null
  Result<std::shared_ptr<const Handle>> fetched() const;
  Result<std::shared_ptr<const Handle>> fetch() const;
  Result<std::shared_ptr<const Handle>> handle_of(const security::Object& identity) const;
  Error error_of(const security::Failure& failure, bool decrypting = false) const;
  /// What can be done; where the key cannot be fetched, the answer is `otherwise`, so that its use says why.
  bool can(security::KeyUse use, KeychainAlgorithm algorithm, bool otherwise) const;
  /// Twice where the handle may have been stale.
  template <typename Use>
  auto use(Use use) const -> decltype(use(std::declval<const Handle&>()));

  const std::string name_;
  const std::shared_ptr<const KeychainPlace> place_;
  const Bytes certificate_;
  const bool prompt_;
  mutable std::atomic<bool> tried_{false}, intact_{true};
  mutable std::mutex mutex_;  // guards what follows
  mutable security::Object identity_;
  mutable std::shared_ptr<const Handle> handle_;
};

}  // namespace devtrust
