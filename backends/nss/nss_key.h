// A private key of an NSS database, which stays encrypted until it is first used, and the password that stands before
// it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "identity/private_key.h"
#include "identity/store.h"

namespace devtrust {

class SoftwareKey;

/// What the database's password is checked with. Immutable.
struct NssSeal {
  Bytes global_salt;
  Bytes check;                  ///< "password-check", encrypted
  bool empty_password = false;  ///< it opens without one
};

/// The hashed password of one store: it outlives reads, so that a login survives a renewal. A new password in the
/// database brings another salt and locks it again. Thread-safe.
class NssVault final : public Login {
 public:
  /// `location`: for messages. `pin_source`: read at the first use of a key; may be empty.
  NssVault(std::string location, std::string pin_source);

  /// The seal of what was read last: the one that is known where nothing changed, since trying the empty password on a
  /// new one may cost milliseconds.
  std::shared_ptr<const NssSeal> seal(Bytes global_salt, Bytes check);
  /// Whether a person must give the password.
  bool needs_login() const;
  /// Decrypts what was encrypted under `seal`. kLoginRequired, kWrongPassword, kCorrupt.
  Result<SecureBytes> decrypt(const NssSeal& seal, ByteView encrypted);
  /// Raised by each lock(): decrypted keys of an earlier one must be forgotten.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  Result<void> unlock(std::string_view password) override;
  void lock() override;
  bool unlocked() const override;

  /// Keys that hold a decrypted secret ask to be told of lock().
  void on_lock(std::weak_ptr<const class NssKey> key);

 private:
  Result<SecureBytes> open(const NssSeal& seal, std::string_view password) const;

  const std::string location_, pin_source_;
  std::atomic<std::uint64_t> generation_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const NssSeal> seal_;
  std::shared_ptr<const NssSeal> opened_;  // what password_hash_ opens; null: nothing
  SecureBytes password_hash_;
  std::vector<std::weak_ptr<const NssKey>> keys_;
};

class NssKey final : public PrivateKey, public std::enable_shared_from_this<NssKey> {
 public:
  /// `secret`: the one encrypted attribute that is needed, a prime (RSA) or the scalar. All else follows from it and
  /// the certificate's public key, which refuses any other secret: the attribute's MAC need not be believed.
  /// `coefficient`: RSA's, encrypted, which spares a computation where it is right; may be empty.
  NssKey(PublicKey public_key, KeyTraits traits, Bytes secret, Bytes coefficient, std::shared_ptr<const NssSeal> seal,
         std::shared_ptr<NssVault> vault);

  bool can_sign(const SignScheme& scheme) const override;
  bool can_decrypt(const CipherScheme& scheme) const override;
  bool can_derive() const override;
  bool intact() const override { return intact_.load(std::memory_order_relaxed); }
  Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const override;
  Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) const override;
  Result<SecureBytes> derive(ByteView peer) const override;
  Result<void> prepare() const override;

  /// Forgets the decrypted secret; operations that hold it finish on it.
  void forget() const;
  /// Whether `other` is the same row under the same seal: a refresh then keeps this one, with what it has decrypted.
  bool same_as(const PublicKey& key, const Bytes& secret, const NssSeal& seal) const;

 private:
  Result<std::shared_ptr<const SoftwareKey>> opened() const;
  SecureBytes coefficient() const;

  const Bytes secret_, coefficient_;
  const std::shared_ptr<const NssSeal> seal_;
  const std::shared_ptr<NssVault> vault_;
  mutable std::atomic<bool> intact_{true};
  mutable std::mutex mutex_;  // guards what follows
  mutable std::shared_ptr<const SoftwareKey> key_;
  mutable std::uint64_t generation_ = 0;
};

}  // namespace devtrust
