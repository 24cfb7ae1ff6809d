// Errors as values: a Result holds what was asked for, or an Error that a person can act on.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace devtrust {

/// What kind of failure it was: a front turns it into its own code (a CK_RV, an OpenSSL reason, an exit code).
enum class ErrorCode {
  kInternal,          ///< a fault of ours or of a library; nothing the user did
  kNotFound,          ///< no such file, store, profile or identity
  kInvalidArgument,   ///< the caller's data: wrong length, out of range, not of this key's type
  kInvalidConfig,     ///< a configuration that does not parse, or that may not be trusted
  kUnsupported,       ///< this key, store or build cannot do it
  kAccessDenied,      ///< the operating system refused
  kIo,                ///< reading failed
  kBusy,              ///< another process is writing; trying again may help
  kCorrupt,           ///< a store or file whose content makes no sense
  kLoginRequired,     ///< the store needs its password first
  kWrongPassword,     ///< the password given is not the store's
  kKeyMismatch,       ///< the private key does not belong to the certificate
  kSignatureInvalid,  ///< a signature does not verify
  kDecryptionFailed,  ///< ciphertext that this key does not decrypt
  kExpired,           ///< identities exist, all of them out of their validity
  kAuditFailed,       ///< the audit line could not be written and the configuration demands one
};

/// `message` is one sentence without a final stop: what happened, to what, and what to do next. No secrets.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

/// Hands an error on to a Result of another type.
template <typename T>
tl::unexpected<Error> fail(const Result<T>& failed) {
  return tl::unexpected<Error>(failed.error());
}

}  // namespace devtrust
