#include "backends/token/token_error.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace devtrust {
namespace {

struct Row {
  CK_RV rv;
  ErrorCode code;
  const char* message;
};

constexpr const char* kWrongPin = "the token refused the PIN";
constexpr const char* kGone = "the token is not there, or no longer: insert it, or start what it belongs to";
constexpr const char* kCannot = "the token cannot do this with its key";
constexpr const char* kBadData = "the token does not take this data";
constexpr const char* kNotItsCiphertext = "the data was not encrypted for this key";
constexpr const char* kNoMemory = "the token or its module has no memory left";
constexpr const char* kNoSession = "the token has no session left: close a program that uses it";
constexpr const char* kRefused = "the user or the token refused";

constexpr std::array kRows{
    Row{CKR_PIN_INCORRECT, ErrorCode::kWrongPassword, kWrongPin},
    Row{CKR_PIN_INVALID, ErrorCode::kWrongPassword, kWrongPin},
    Row{CKR_PIN_LEN_RANGE, ErrorCode::kWrongPassword, kWrongPin},
    Row{CKR_PIN_LOCKED, ErrorCode::kAccessDenied,
        "the token's PIN is blocked after too many wrong ones: its issuer can unblock it"},
    Row{CKR_PIN_EXPIRED, ErrorCode::kAccessDenied,
        "the token's PIN has expired: set a new one with the token's own program"},
    Row{CKR_USER_PIN_NOT_INITIALIZED, ErrorCode::kAccessDenied,
        "the token has no PIN yet: set one with the token's own program"},
    Row{CKR_USER_NOT_LOGGED_IN, ErrorCode::kLoginRequired,
        "the token needs its PIN: log in to it, or name a pin_source"},
    Row{CKR_USER_ANOTHER_ALREADY_LOGGED_IN, ErrorCode::kBusy,
        "this program has logged in to the token as its security officer"},
    Row{CKR_USER_TOO_MANY_TYPES, ErrorCode::kBusy, "this program has logged in to the token as its security officer"},
    Row{CKR_FUNCTION_CANCELED, ErrorCode::kAccessDenied, kRefused},
    Row{CKR_FUNCTION_REJECTED, ErrorCode::kAccessDenied, kRefused},
    Row{CKR_DEVICE_REMOVED, ErrorCode::kIo, kGone},
    Row{CKR_TOKEN_NOT_PRESENT, ErrorCode::kIo, kGone},
    Row{CKR_TOKEN_NOT_RECOGNIZED, ErrorCode::kIo, kGone},
    Row{CKR_SLOT_ID_INVALID, ErrorCode::kIo, kGone},
    Row{CKR_SESSION_COUNT, ErrorCode::kBusy, kNoSession},
    Row{CKR_MECHANISM_INVALID, ErrorCode::kUnsupported, kCannot},
    Row{CKR_MECHANISM_PARAM_INVALID, ErrorCode::kUnsupported, kCannot},
    Row{CKR_ARGUMENTS_BAD, ErrorCode::kUnsupported, kCannot},  // what SoftHSM says of parameters

    Row{CKR_KEY_TYPE_INCONSISTENT, ErrorCode::kUnsupported, kCannot},
    Row{CKR_KEY_FUNCTION_NOT_PERMITTED, ErrorCode::kUnsupported, kCannot},
    Row{CKR_FUNCTION_NOT_SUPPORTED, ErrorCode::kUnsupported, kCannot},
    Row{CKR_TEMPLATE_INCONSISTENT, ErrorCode::kUnsupported, kCannot},
    Row{CKR_ATTRIBUTE_SENSITIVE, ErrorCode::kUnsupported, kCannot},
    Row{CKR_DATA_INVALID, ErrorCode::kInvalidArgument, kBadData},
    Row{CKR_DATA_LEN_RANGE, ErrorCode::kInvalidArgument, kBadData},
    Row{CKR_ENCRYPTED_DATA_INVALID, ErrorCode::kDecryptionFailed, kNotItsCiphertext},
    Row{CKR_ENCRYPTED_DATA_LEN_RANGE, ErrorCode::kDecryptionFailed, kNotItsCiphertext},
    Row{CKR_HOST_MEMORY, ErrorCode::kIo, kNoMemory},
    Row{CKR_DEVICE_MEMORY, ErrorCode::kIo, kNoMemory},
};

bool is_one_of(CK_RV rv, std::initializer_list<CK_RV> values) { return std::ranges::find(values, rv) != values.end(); }

}  // namespace

Error token_error(CK_RV rv) {
  for (const Row& row : kRows) {
    if (row.rv == rv) return {row.code, row.message};
  }
  std::array<char, 32> number{};
  static_cast<void>(std::snprintf(number.data(), number.size(), "0x%lX", static_cast<unsigned long>(rv)));
  return {ErrorCode::kIo, "its module failed with " + std::string(number.data())};
}

Error decryption_error(CK_RV rv) {
  if (is_one_of(rv, {CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DATA_INVALID, CKR_DATA_LEN_RANGE})) {
    rv = CKR_ENCRYPTED_DATA_INVALID;
  }
  return token_error(rv);
}

bool is_stale(CK_RV rv) {
  return is_one_of(rv,
                   {CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED,
                    CKR_DEVICE_ERROR, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED, CKR_SLOT_ID_INVALID});
}

bool is_wrong_pin(CK_RV rv) {
  // The last two are what some cards' modules say of everything.
  return is_one_of(rv, {CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_LOCKED, CKR_PIN_EXPIRED,
                        CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED});
}

}  // namespace devtrust
