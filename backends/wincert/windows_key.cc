#include "backends/wincert/windows_key.h"

#include <utility>

namespace devtrust {

WindowsKey::WindowsKey(std::string name, PublicKey public_key, KeyTraits traits, KeyPlace place, bool prompt)
    : PrivateKey(std::move(public_key), std::move(traits)),
      name_(std::move(name)),
      place_(std::move(place)),
      prompt_(prompt) {}

bool WindowsKey::same_as(const PublicKey& public_key, const KeyPlace& place) const {
  return place == place_ && public_key == this->public_key();
}

bool WindowsKey::supported(KeyType type, const KeyPlace& place) {
  return type == KeyType::kRsa || (type == KeyType::kEc && place.provider_type == 0);
}

Result<OpenKey*> WindowsKey::opened(bool prompt) const {
  if (key_ != nullptr && (may_prompt_ || !prompt)) return key_.get();
  key_.reset();
  auto key = place_.provider_type == 0 ? open_cng_key(place_, public_key(), prompt)
                                       : open_csp_key(place_, public_key(), prompt);
  // A key that is not there or cannot be opened at all is passed over as one that is not the certificate's is, so that
  // neither hides a good one.
  const ErrorCode code = key ? ErrorCode::kInternal : key.error().code;
  intact_ = key || (code != ErrorCode::kKeyMismatch && code != ErrorCode::kNotFound && code != ErrorCode::kUnsupported);
  tried_ = true;
  if (!key) return fail(key);
  key_ = *std::move(key);
  may_prompt_ = prompt;
  return key_.get();
}

bool WindowsKey::intact() const {
  if (!tried_) {
    const std::lock_guard guard(mutex_);
    if (!tried_) static_cast<void>(opened(false));
  }
  return intact_;
}

template <typename Ask>
bool WindowsKey::ask(Ask ask, bool otherwise) const {
  const std::lock_guard guard(mutex_);
  if (key_ == nullptr && tried_) return otherwise;
  const auto key = opened(false);
  return key ? ask(**key) : otherwise;
}

template <typename Use>
auto WindowsKey::use(Use use) const -> decltype(use(std::declval<OpenKey&>())) {
  const std::lock_guard guard(mutex_);
  for (bool again = key_ != nullptr;; again = false) {
    const auto key = opened(prompt_);
    if (!key) return fail(key.error().code, name_ + ": " + key.error().message);
    auto result = use(**key);
    if (result) return result;
    if (result.error().code == ErrorCode::kIo) key_.reset();
    if (key_ != nullptr || !again) return fail(result.error().code, name_ + ": " + result.error().message);
  }
}

bool WindowsKey::can_sign(const SignScheme& scheme) const {
  const bool rsa = public_key().type() == KeyType::kRsa;
  return ask([&](const OpenKey& key) { return key.can_sign(scheme); },
             scheme.algorithm == (rsa ? SignAlgorithm::kRsaPkcs1 : SignAlgorithm::kEcdsa));
}

bool WindowsKey::can_decrypt(const CipherScheme& scheme) const {
  return ask([&](const OpenKey& key) { return key.can_decrypt(scheme); }, false);
}

bool WindowsKey::can_derive() const {
  return ask([](const OpenKey& key) { return key.can_derive(); }, false);
}

bool WindowsKey::signs_any_data() const {
  return ask([](const OpenKey& key) { return key.signs_any_data(); }, false);
}

Result<std::size_t> WindowsKey::sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const {
  return use([&](OpenKey& key) -> Result<std::size_t> {
    if (!key.can_sign(scheme)) return fail(ErrorCode::kUnsupported, "the private key's provider cannot do this");
    return key.sign(scheme, input, out);
  });
}

Result<SecureBytes> WindowsKey::decrypt(const CipherScheme& scheme, ByteView ciphertext) const {
  return use([&](OpenKey& key) -> Result<SecureBytes> {
    if (!key.can_decrypt(scheme)) return fail(ErrorCode::kUnsupported, "the private key's provider cannot do this");
    return key.decrypt(scheme, ciphertext);
  });
}

Result<SecureBytes> WindowsKey::derive(ByteView peer) const {
  return use([&](OpenKey& key) -> Result<SecureBytes> {
    if (!key.can_derive()) return fail(ErrorCode::kUnsupported, "the private key's provider cannot do this");
    return key.derive(peer);
  });
}

Result<void> WindowsKey::prepare() const {
  return use([](OpenKey&) -> Result<void> { return {}; });
}

}  // namespace devtrust
