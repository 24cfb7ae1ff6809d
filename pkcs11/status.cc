#include "pkcs11/status.h"

namespace devtrust::pkcs11 {

CK_RV rv_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal:
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalidConfig:
      return CKR_GENERAL_ERROR;
    case ErrorCode::kInvalidArgument:
      return CKR_DATA_INVALID;  // lengths are checked before a key is asked
    case ErrorCode::kUnsupported:
      return CKR_MECHANISM_INVALID;
    case ErrorCode::kAccessDenied:
    case ErrorCode::kAuditFailed:
      return CKR_FUNCTION_REJECTED;
    case ErrorCode::kIo:
    case ErrorCode::kBusy:
    case ErrorCode::kCorrupt:
    case ErrorCode::kKeyMismatch:
      return CKR_DEVICE_ERROR;
    case ErrorCode::kLoginRequired:
      return CKR_USER_NOT_LOGGED_IN;
    case ErrorCode::kWrongPassword:
      return CKR_PIN_INCORRECT;
    case ErrorCode::kSignatureInvalid:
      return CKR_SIGNATURE_INVALID;
    case ErrorCode::kDecryptionFailed:
      return CKR_ENCRYPTED_DATA_INVALID;
    case ErrorCode::kExpired:
      return CKR_FUNCTION_FAILED;
  }
  return CKR_GENERAL_ERROR;
}

}  // namespace devtrust::pkcs11
