#include "backends/nss/nss_key.h"

#include <algorithm>

#include "backends/nss/pbe.h"
#include "identity/config.h"
#include "identity/software_key.h"

namespace devtrust {
namespace {

constexpr std::string_view kCheck = "password-check";

}  // namespace

NssVault::NssVault(std::string location, std::string pin_source)
    : location_(std::move(location)), pin_source_(std::move(pin_source)) {}

std::shared_ptr<const NssSeal> NssVault::seal(Bytes global_salt, Bytes check) {
  const std::lock_guard guard(mutex_);
  if (seal_ && seal_->global_salt == global_salt && seal_->check == check) return seal_;
  NssSeal made{std::move(global_salt), std::move(check)};
  made.empty_password = open(made, "").has_value();
  seal_ = std::make_shared<const NssSeal>(std::move(made));
  opened_.reset();  // a new password may keep the salt
  password_hash_ = SecureBytes();
  return seal_;
}

bool NssVault::needs_login() const {
  const std::lock_guard guard(mutex_);
  return seal_ && !seal_->empty_password && pin_source_.empty();
}

Result<SecureBytes> NssVault::open(const NssSeal& seal, std::string_view password) const {
  auto hash = hash_nss_password(seal.global_salt, password);
  if (!hash) return fail(hash);
  const auto check = decrypt_nss_value(seal.check, *hash);
  if (!check && check.error().code != ErrorCode::kDecryptionFailed) {
    return fail(check.error().code, location_ + ": the password check is damaged: " + check.error().message);
  }
  if (!check || as_text(*check) != kCheck) {
    return fail(ErrorCode::kWrongPassword, "the password is not that of " + location_);
  }
  return hash;
}

Result<void> NssVault::unlock(std::string_view password) {
  const std::lock_guard guard(mutex_);
  if (!seal_) return fail(ErrorCode::kLoginRequired, location_ + " has not been read yet");
  auto hash = open(*seal_, password);
  if (!hash) return fail(hash);
  password_hash_ = *std::move(hash);
  opened_ = seal_;
  return {};
}

void NssVault::lock() {
  std::vector<std::weak_ptr<const NssKey>> keys;
  {
    const std::lock_guard guard(mutex_);
    opened_.reset();
    password_hash_ = SecureBytes();
    keys.swap(keys_);
    generation_.fetch_add(1, std::memory_order_release);
  }
  for (const auto& weak : keys) {
    if (const auto key = weak.lock()) key->forget();
  }
}

bool NssVault::unlocked() const {
  const std::lock_guard guard(mutex_);
  return opened_ != nullptr;
}

void NssVault::on_lock(std::weak_ptr<const NssKey> key) {
  const std::lock_guard guard(mutex_);
  std::erase_if(keys_, [](const auto& weak) { return weak.expired(); });
  keys_.push_back(std::move(key));
}

Result<SecureBytes> NssVault::decrypt(const NssSeal& seal, ByteView encrypted) {
  Result<SecureBytes> hash =
      fail(ErrorCode::kLoginRequired, location_ + " needs its password: log in to the token, or name a pin_source");
  if (seal.empty_password) {
    hash = hash_nss_password(seal.global_salt, "");
  } else if (!pin_source_.empty()) {
    const auto pin = read_pin_source(pin_source_);
    if (!pin) return fail(pin);
    hash = open(seal, as_text(*pin));
    if (!hash) return fail(hash.error().code, hash.error().message + ": see what " + pin_source_ + " holds");
  } else {
    const std::lock_guard guard(mutex_);
    if (opened_.get() == &seal) hash = password_hash_;
  }
  if (!hash) return hash;
  return decrypt_nss_value(encrypted, *hash);
}

NssKey::NssKey(PublicKey public_key, KeyTraits traits, Bytes secret, Bytes coefficient,
               std::shared_ptr<const NssSeal> seal, std::shared_ptr<NssVault> vault)
    : PrivateKey(std::move(public_key), std::move(traits)),
      secret_(std::move(secret)),
      coefficient_(std::move(coefficient)),
      seal_(std::move(seal)),
      vault_(std::move(vault)) {}

bool NssKey::can_sign(const SignScheme& scheme) const {
  return SoftwareKey::type_can_sign(public_key().type(), scheme);
}
bool NssKey::can_decrypt(const CipherScheme& scheme) const {
  return SoftwareKey::type_can_decrypt(public_key().type(), scheme);
}
bool NssKey::can_derive() const { return SoftwareKey::type_can_derive(public_key().type()); }

bool NssKey::same_as(const PublicKey& key, const Bytes& secret, const NssSeal& seal) const {
  return public_key() == key && secret_ == secret && seal_.get() == &seal;
}

void NssKey::forget() const {
  const std::lock_guard guard(mutex_);
  key_.reset();
}

// Behind a password each attribute costs NSS's 10,000 rounds: more than to compute this one.
SecureBytes NssKey::coefficient() const {
  if (coefficient_.empty() || !seal_->empty_password) return {};
  return vault_->decrypt(*seal_, coefficient_).value_or(SecureBytes());
}

Result<std::shared_ptr<const SoftwareKey>> NssKey::opened() const {
  const std::lock_guard guard(mutex_);
  const std::uint64_t generation = vault_->generation();
  if (key_ && generation_ == generation) return key_;
  key_.reset();
  const auto secret = vault_->decrypt(*seal_, secret_);
  if (!secret) {
    if (secret.error().code == ErrorCode::kCorrupt || secret.error().code == ErrorCode::kDecryptionFailed) {
      intact_.store(false, std::memory_order_relaxed);
      return fail(ErrorCode::kCorrupt, "the private key is damaged: " + secret.error().message);
    }
    return fail(secret);
  }
  auto key = public_key().type() == KeyType::kRsa
                 ? SoftwareKey::from_rsa_prime(public_key(), *secret, coefficient(), traits())
                 : SoftwareKey::from_scalar(public_key(), *secret, traits());
  if (!key) {
    if (key.error().code == ErrorCode::kKeyMismatch) intact_.store(false, std::memory_order_relaxed);
    return fail(key);
  }
  key_ = *std::move(key);
  generation_ = generation;
  vault_->on_lock(weak_from_this());
  return key_;
}

Result<std::size_t> NssKey::sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const {
  const auto key = opened();
  if (!key) return fail(key);
  return (*key)->sign(scheme, input, out);
}

Result<SecureBytes> NssKey::decrypt(const CipherScheme& scheme, ByteView ciphertext) const {
  const auto key = opened();
  if (!key) return fail(key);
  return (*key)->decrypt(scheme, ciphertext);
}

Result<SecureBytes> NssKey::derive(ByteView peer) const {
  const auto key = opened();
  if (!key) return fail(key);
  return (*key)->derive(peer);
}

Result<void> NssKey::prepare() const {
  const auto key = opened();
  if (!key) return fail(key);
  return {};
}

}  // namespace devtrust
