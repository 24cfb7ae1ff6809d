#include "backends/keychain/keychain_key.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "backends/keychain/interaction.h"
#include "backends/keychain/keychain_error.h"
#include "identity/der.h"

namespace devtrust {
namespace {

/// As SecKeyCopyExternalRepresentation writes a public key.
bool is_public_part(ByteView external, const PublicKey& key) {
  if (key.type() == KeyType::kEc) return equal(external, key.ec_point());
  const auto sequence = der_single(external, der::kSequence);
  if (!sequence) return false;
  DerReader numbers(sequence->content);
  const auto modulus = numbers.next(der::kInteger);
  const auto exponent = numbers.next(der::kInteger);
  if (!modulus || !exponent || !numbers.empty()) return false;
  const auto n = der_unsigned(*modulus);
  const auto e = der_unsigned(*exponent);
  return n && e && equal(*n, key.modulus()) && equal(*e, key.exponent());
}

tl::unexpected<Error> cannot() {
  return fail(ErrorCode::kUnsupported, "the private key cannot do this in its keychain");
}

/// The user is asked, or is not.
class Manners {
 public:
  explicit Manners(bool prompt) {
    if (prompt) {
      asking_.emplace();
    } else {
      silence_.emplace();
    }
  }

 private:
  std::optional<Asking> asking_;
  std::optional<Silence> silence_;
};

}  // namespace

/// macOS' reference to the key. Thread-safe.
class KeychainKey::Handle {
 public:
  explicit Handle(security::Object key) : key_(std::move(key)) {}
  const security::Object& key() const { return key_; }
  /// What macOS says is kept: hosts ask often.
  bool supports(security::KeyUse use, KeychainAlgorithm algorithm) const {
    if (algorithm == KeychainAlgorithm::kNone) return false;
    std::atomic<Answer>& kept = answers_.at(static_cast<std::size_t>(algorithm));  // no algorithm has two uses
    Answer answer = kept.load(std::memory_order_relaxed);
    if (answer == Answer::kUnknown) {
      answer = security::supports(key_, use, algorithm) ? Answer::kYes : Answer::kNo;
      kept.store(answer, std::memory_order_relaxed);
    }
    return answer == Answer::kYes;
  }

 private:
  enum class Answer : std::uint8_t { kUnknown, kNo, kYes };
  const security::Object key_;
  mutable std::array<std::atomic<Answer>, kKeychainAlgorithms> answers_{};
};

KeychainKey::KeychainKey(std::string name, PublicKey public_key, std::shared_ptr<const KeychainPlace> place,
                         KeychainPlace::Item identity, bool prompt)
    : PrivateKey(std::move(public_key), {}),
      name_(std::move(name)),
      place_(std::move(place)),
      certificate_(std::move(identity.der)),
      prompt_(prompt),
      identity_(std::move(identity.object)) {}
KeychainKey::~KeychainKey() = default;

Error KeychainKey::error_of(const security::Failure& failure, bool decrypting) const {
  // macOS' answer is the same for a locked keychain and for a program that is not listed.
  if (wanted_to_ask(failure) && place_->is_file()) {
    const auto state = place_->state();
    if (state && !state->unlocked) {
      return {ErrorCode::kAccessDenied,
              "the keychain is locked: run security unlock-keychain " + place_->path().value_or(place_->name())};
    }
  }
  return decrypting ? keychain_decryption_error(failure) : keychain_error(failure);
}

Result<std::shared_ptr<const KeychainKey::Handle>> KeychainKey::handle_of(const security::Object& identity) const {
  auto key = security::private_key_of(identity);
  if (!key) return tl::unexpected(error_of(key.error()));
  const Bytes external = security::public_part_of(*key);
  if (!external.empty() && !is_public_part(external, public_key())) {
    return fail(ErrorCode::kKeyMismatch, "the private key does not belong to the certificate");
  }
  return std::make_shared<const Handle>(*std::move(key));
}

/// From the identity that was read; where that one is not good any more, from the keychain as it is now.
Result<std::shared_ptr<const KeychainKey::Handle>> KeychainKey::fetch() const {
  if (identity_) {
    auto handle = handle_of(std::exchange(identity_, security::Object()));
    if (handle || (handle.error().code != ErrorCode::kIo && handle.error().code != ErrorCode::kNotFound)) return handle;
  }
  const auto identities = place_->items(security::ItemClass::kIdentity, !prompt_);
  if (!identities) return tl::unexpected(error_of(identities.error()));
  const auto found =
      std::ranges::find_if(*identities, [this](const KeychainPlace::Item& item) { return belongs_to(item.der); });
  if (found == identities->end()) {
    return fail(ErrorCode::kNotFound, "the certificate is not in the keychain any more: it was renewed or removed");
  }
  return handle_of(found->object);
}

Result<std::shared_ptr<const KeychainKey::Handle>> KeychainKey::fetched() const {
  const std::lock_guard guard(mutex_);
  if (handle_ != nullptr) return handle_;
  auto handle = fetch();
  const ErrorCode code = handle ? ErrorCode::kInternal : handle.error().code;
  intact_ =
      handle || (code != ErrorCode::kKeyMismatch && code != ErrorCode::kNotFound && code != ErrorCode::kUnsupported);
  tried_ = true;
  if (handle) handle_ = *handle;
  return handle;
}

bool KeychainKey::intact() const {
  if (!tried_ && keychains_usable()) {
    const Silence silence;
    static_cast<void>(fetched());
  }
  return intact_;
}

bool KeychainKey::can(security::KeyUse use, KeychainAlgorithm algorithm, bool otherwise) const {
  if (algorithm == KeychainAlgorithm::kNone) return false;
  if (!keychains_usable()) return otherwise;
  std::shared_ptr<const Handle> handle = kept();
  if (handle == nullptr) {
    if (tried_) return otherwise;
    const Silence silence;
    handle = fetched().value_or(nullptr);
  }
  return handle != nullptr ? handle->supports(use, algorithm) : otherwise;
}

std::shared_ptr<const KeychainKey::Handle> KeychainKey::kept() const {
  const std::lock_guard guard(mutex_);
  return handle_;
}

template <typename Use>
auto KeychainKey::use(Use use) const -> decltype(use(std::declval<const Handle&>())) {
  if (const auto usable = keychains_usable(); !usable)
    return fail(usable.error().code, name_ + ": " + usable.error().message);
  const Manners manners(prompt_);
  for (bool again = kept() != nullptr;; again = false) {
    const auto handle = fetched();
    if (!handle) return fail(handle.error().code, name_ + ": " + handle.error().message);
    auto result = use(**handle);
    if (result) return result;
    const ErrorCode code = result.error().code;
    const bool stale = code == ErrorCode::kIo || code == ErrorCode::kNotFound;
    if (stale) {
      const std::lock_guard guard(mutex_);
      if (handle_ == *handle) handle_.reset();
    }
    if (!stale || !again) return fail(code, name_ + ": " + result.error().message);
  }
}

bool KeychainKey::can_sign(const SignScheme& scheme) const {
  const bool rsa = public_key().type() == KeyType::kRsa;
  if (rsa == (scheme.algorithm == SignAlgorithm::kEcdsa)) return false;
  const bool usual = scheme.algorithm == SignAlgorithm::kRsaPkcs1 || scheme.algorithm == SignAlgorithm::kEcdsa;
  return can(security::KeyUse::kSign, signing_algorithm(scheme), usual) ||
         (!rsa && can(security::KeyUse::kSign, KeychainAlgorithm::kEcdsaSignatureX962Sha256, usual));
}

bool KeychainKey::can_decrypt(const CipherScheme& scheme) const {
  return public_key().type() == KeyType::kRsa && can(security::KeyUse::kDecrypt, decryption_algorithm(scheme), false);
}

bool KeychainKey::can_derive() const {
  return public_key().type() == KeyType::kEc &&
         can(security::KeyUse::kExchange, KeychainAlgorithm::kEcdhStandard, false);
}

Result<std::size_t> KeychainKey::sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const {
  const bool rsa = public_key().type() == KeyType::kRsa;
  if (rsa == (scheme.algorithm == SignAlgorithm::kEcdsa))
    return fail(ErrorCode::kUnsupported, name_ + ": " + "a key of this type cannot sign in this way");
  const std::size_t size = public_key().field_size();
  if (!rsa) {
    input = input.first(std::min(input.size(), size));  // ECDSA uses as many bytes as the curve has
  } else if (scheme.algorithm == SignAlgorithm::kRsaRaw ? input.size() != size
             : scheme.digest != Digest::kNone           ? input.size() != digest_size(scheme.digest)
                                                        : input.size() + 11 > size) {
    return fail(ErrorCode::kInvalidArgument,
                name_ + ": " + "what is to be signed has not the length that its algorithm asks for");
  }
  return use([&](const Handle& handle) -> Result<std::size_t> {
    KeychainAlgorithm algorithm = signing_algorithm(scheme);
    if (!handle.supports(security::KeyUse::kSign, algorithm)) {
      algorithm = rsa ? KeychainAlgorithm::kNone : ecdsa_algorithm(input.size());
      if (!handle.supports(security::KeyUse::kSign, algorithm)) return cannot();
    }
    const auto signature = security::sign(handle.key(), algorithm, input);
    if (!signature) return tl::unexpected(error_of(signature.error()));
    if (signature->empty() || signature->size() > out.size() || (rsa && signature->size() != size)) {
      return fail(ErrorCode::kIo, "macOS gave a signature of a length that the key does not make");
    }
    std::ranges::copy(*signature, out.begin());
    return signature->size();
  });
}

Result<SecureBytes> KeychainKey::decrypt(const CipherScheme& scheme, ByteView ciphertext) const {
  const std::size_t size = public_key().field_size();
  return use([&](const Handle& handle) -> Result<SecureBytes> {
    const KeychainAlgorithm algorithm = decryption_algorithm(scheme);
    if (public_key().type() != KeyType::kRsa || !handle.supports(security::KeyUse::kDecrypt, algorithm))
      return cannot();
    if (ciphertext.size() != size) return fail(ErrorCode::kDecryptionFailed, "the data was not encrypted for this key");
    auto plaintext = security::decrypt(handle.key(), algorithm, ciphertext);
    if (!plaintext) return tl::unexpected(error_of(plaintext.error(), true));
    if (plaintext->size() > size) return fail(ErrorCode::kIo, "macOS gave more than the key can decrypt");
    if (scheme.algorithm == CipherAlgorithm::kRsaRaw && plaintext->size() < size) {
      SecureBytes padded(size);  // a number without its leading zeros
      std::ranges::copy(*plaintext, padded.end() - static_cast<std::ptrdiff_t>(plaintext->size()));
      return padded;
    }
    return *std::move(plaintext);
  });
}

Result<SecureBytes> KeychainKey::derive(ByteView peer) const {
  if (public_key().type() != KeyType::kEc)
    return fail(ErrorCode::kUnsupported, name_ + ": " + "a key of this type cannot derive");
  const auto peer_key = PublicKey::ec(public_key().ec_params(), peer);
  if (!peer_key) return fail(peer_key);
  if (peer_key->evp() == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "the peer's public key is not a point of the curve");
  }
  return use([&](const Handle& handle) -> Result<SecureBytes> {
    if (!handle.supports(security::KeyUse::kExchange, KeychainAlgorithm::kEcdhStandard)) return cannot();
    auto secret = security::exchange(handle.key(), peer_key->ec_point());
    if (!secret) return tl::unexpected(error_of(secret.error()));
    if (secret->size() != public_key().field_size()) {
      return fail(ErrorCode::kIo, "macOS gave a shared secret of a length that the curve does not have");
    }
    return *std::move(secret);
  });
}

Result<void> KeychainKey::prepare() const {
  return use([](const Handle&) -> Result<void> { return {}; });
}

}  // namespace devtrust
