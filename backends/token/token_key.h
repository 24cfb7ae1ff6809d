// A private key on a token, which signs where it is.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "backends/token/token.h"
#include "backends/token/token_objects.h"
#include "identity/private_key.h"

namespace devtrust {

class TokenKey final : public PrivateKey {
 public:
  /// `id`: CKA_ID; may be empty where the token says whose key it is.
  TokenKey(std::shared_ptr<Token> token, PublicKey public_key, TokenPrivateKey object, TokenMechanisms mechanisms);

  bool same_as(const PublicKey& public_key, const TokenPrivateKey& object, const TokenMechanisms& mechanisms) const;

  bool can_sign(const SignScheme& scheme) const override;
  bool can_decrypt(const CipherScheme& scheme) const override;
  bool can_derive() const override;
  bool intact() const override { return intact_; }
  Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const override;
  Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) const override;
  Result<SecureBytes> derive(ByteView peer) const override;
  Result<void> prepare() const override;

 private:
  bool has(CK_MECHANISM_TYPE type, CK_FLAGS flag) const;
  /// Whether the token does it with these parameters, of which its mechanism list says nothing: PSS is begun, OAEP is
  /// tried (SoftHSM passes over a label in silence). What cannot be asked now is believed.
  bool signs(const SignScheme& scheme) const;
  bool decrypts(const CipherScheme& scheme) const;
  bool remembered(const std::string& what, const std::function<std::optional<bool>()>& ask) const;
  /// The object's handle, which a login or a new connection makes void.
  TokenAnswer<FoundKey> object(TokenSession& session, bool anew) const;
  /// Runs `body(session, handle)`, once more after a login or with a new handle where that was the matter.
  template <typename T, typename Body>
  Result<T> use(Body body) const;
  TokenAnswer<> begin_signing(TokenSession& session, CK_MECHANISM& mechanism, CK_OBJECT_HANDLE key) const;
  TokenAnswer<std::size_t> sign_raw(TokenSession& session, CK_OBJECT_HANDLE key, const SignScheme& scheme,
                                    ByteView input, std::span<std::uint8_t> out) const;

  const std::shared_ptr<Token> token_;
  const TokenPrivateKey object_;
  const TokenMechanisms mechanisms_;
  mutable std::atomic<bool> intact_{true};
  mutable std::mutex mutex_;  // guards what follows; never held while the token is asked
  mutable FoundKey found_;
  mutable std::uint64_t found_in_ = 0;  // the token's epoch
  mutable std::uint64_t found_by_ = 0;  // the fork number
  mutable std::map<std::string, bool> abilities_;
};

}  // namespace devtrust
