// What an inner function answers: a value, or a CK_RV with a sentence for the trace.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "identity/result.h"
#include "pkcs11/cryptoki.h"

namespace devtrust::pkcs11 {

struct Failure {
  CK_RV rv = CKR_GENERAL_ERROR;
  std::string message;  ///< for the trace; may be empty where the code says it all
};

template <typename T = void>
using Answer = tl::expected<T, Failure>;

inline tl::unexpected<Failure> refuse(CK_RV rv, std::string message = {}) {
  return tl::unexpected<Failure>(Failure{rv, std::move(message)});
}

/// The CK_RV that fits an identity error when a private key was being used.
CK_RV rv_of(ErrorCode code);
inline tl::unexpected<Failure> refuse(const Error& error) { return refuse(rv_of(error.code), error.message); }

}  // namespace devtrust::pkcs11
