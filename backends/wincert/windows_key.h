// A private key in one of Windows' key stores, which signs where it is.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "backends/wincert/key_place.h"
#include "backends/wincert/open_key.h"
#include "identity/private_key.h"

namespace devtrust {

/// Opened when it is first asked for anything, silently, and kept open. What fails may have had a stale handle (the
/// card was out, the service that keeps the keys restarted): it is opened once more.
class WindowsKey final : public PrivateKey {
 public:
  /// `name` is for messages. `prompt`: whether Windows may ask the user.
  WindowsKey(std::string name, PublicKey public_key, KeyTraits traits, KeyPlace place, bool prompt);

  bool same_as(const PublicKey& public_key, const KeyPlace& place) const;
  /// Whether any key of this type in this place can be of use.
  static bool supported(KeyType type, const KeyPlace& place);

  bool can_sign(const SignScheme& scheme) const override;
  bool can_decrypt(const CipherScheme& scheme) const override;
  bool can_derive() const override;
  bool signs_any_data() const override;
  bool intact() const override;
  Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const override;
  Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) const override;
  Result<SecureBytes> derive(ByteView peer) const override;
  Result<void> prepare() const override;

 private:
  /// Opens it where that has not been done, anew where a prompt is allowed now and was not then.
  Result<OpenKey*> opened(bool prompt) const;
  /// Asks the key what it can do; where it cannot be opened, the answer is `otherwise`, so that its use says why.
  template <typename Ask>
  bool ask(Ask ask, bool otherwise) const;
  template <typename Use>
  auto use(Use use) const -> decltype(use(std::declval<OpenKey&>()));

  const std::string name_;
  const KeyPlace place_;
  const bool prompt_;
  mutable std::atomic<bool> tried_{false}, intact_{true};
  mutable std::mutex mutex_;  // guards what follows
  mutable std::unique_ptr<OpenKey> key_;
  mutable bool may_prompt_ = false;  // how `key_` was opened
};

}  // namespace devtrust
