// What a token's return values mean.
#pragma once

#include "identity/result.h"
#include "pkcs11/cryptoki.h"

namespace devtrust {

/// In a sentence's second half, after the token's name.
Error token_error(CK_RV rv);
/// When something was to be decrypted: modules have many names for a ciphertext that is not this key's.
Error decryption_error(CK_RV rv);
/// Whether sessions and handles may be void, so that connecting anew may help.
bool is_stale(CK_RV rv);
/// Whether C_Login's answer may mean that the PIN was refused: it is not to be tried again.
bool is_wrong_pin(CK_RV rv);

struct TokenFailure {
  CK_RV rv = CKR_OK;  ///< CKR_OK: not the token's answer
  Error error;
};
template <typename T = void>
using TokenAnswer = tl::expected<T, TokenFailure>;

inline tl::unexpected<TokenFailure> refused(CK_RV rv) { return tl::unexpected(TokenFailure{rv, token_error(rv)}); }
inline tl::unexpected<TokenFailure> refused(Error error) {
  return tl::unexpected(TokenFailure{CKR_OK, std::move(error)});
}
inline tl::unexpected<TokenFailure> refused(ErrorCode code, std::string message) {
  return refused(Error{code, std::move(message)});
}

}  // namespace devtrust
