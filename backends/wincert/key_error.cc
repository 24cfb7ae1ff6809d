#include "backends/wincert/key_error.h"

#include <windows.h>

#include <winerror.h>

#include <algorithm>
#include <iterator>

#include "identity/system_error_windows.h"

namespace devtrust {
namespace {

struct Row {
  std::uint32_t code;
  ErrorCode kind;
  const char* message;
};

constexpr std::uint32_t number(HRESULT code) { return static_cast<std::uint32_t>(code); }
constexpr std::uint32_t wrapped(DWORD error) { return number(HRESULT_FROM_WIN32(error)); }

constexpr const char* kGone =
    "the private key is not where the certificate says, or this user may not use it: let the agent enrol the device "
    "again";
constexpr const char* kNoProvider = "the private key's provider is not installed: install its software again";
constexpr const char* kForbidden =
    "Windows does not let this user use the private key: the machine's keys are for administrators and services";
constexpr const char* kNoCard = "the private key's smart card or reader is not there: insert it";
constexpr const char* kRefused = "the user refused the use of the private key";
constexpr const char* kCannot = "the private key's provider cannot do this";

constexpr Row kRows[] = {
    Row{number(NTE_SILENT_CONTEXT), ErrorCode::kAccessDenied,
        "the private key is used only after asking the user: set prompt = true in the configuration's [[store]]"},
    Row{number(NTE_BAD_KEYSET), ErrorCode::kNotFound, kGone},
    Row{number(NTE_NO_KEY), ErrorCode::kNotFound, kGone},
    Row{number(NTE_NOT_FOUND), ErrorCode::kNotFound, kGone},
    Row{number(NTE_KEYSET_NOT_DEF), ErrorCode::kNotFound, kGone},
    Row{number(NTE_KEYSET_ENTRY_BAD), ErrorCode::kNotFound, kGone},
    Row{number(NTE_PROV_TYPE_NOT_DEF), ErrorCode::kNotFound, kNoProvider},
    Row{number(NTE_PROV_TYPE_ENTRY_BAD), ErrorCode::kNotFound, kNoProvider},
    Row{number(NTE_PROV_DLL_NOT_FOUND), ErrorCode::kNotFound, kNoProvider},
    Row{number(NTE_PROVIDER_DLL_FAIL), ErrorCode::kNotFound, kNoProvider},
    Row{number(NTE_PERM), ErrorCode::kAccessDenied, kForbidden},
    Row{number(E_ACCESSDENIED), ErrorCode::kAccessDenied, kForbidden},
    Row{ERROR_ACCESS_DENIED, ErrorCode::kAccessDenied, kForbidden},
    Row{number(NTE_BAD_ALGID), ErrorCode::kUnsupported, kCannot},
    Row{number(NTE_BAD_FLAGS), ErrorCode::kUnsupported, kCannot},
    Row{number(NTE_NOT_SUPPORTED), ErrorCode::kUnsupported, kCannot},
    Row{number(NTE_BAD_TYPE), ErrorCode::kUnsupported, kCannot},
    Row{number(NTE_USER_CANCELLED), ErrorCode::kAccessDenied, kRefused},
    Row{number(SCARD_W_CANCELLED_BY_USER), ErrorCode::kAccessDenied, kRefused},
    Row{wrapped(ERROR_CANCELLED), ErrorCode::kAccessDenied, kRefused},
    Row{ERROR_CANCELLED, ErrorCode::kAccessDenied, kRefused},
    Row{number(SCARD_W_WRONG_CHV), ErrorCode::kWrongPassword, "the smart card refused the PIN"},
    Row{number(SCARD_W_CHV_BLOCKED), ErrorCode::kAccessDenied,
        "the smart card is blocked after too many wrong PINs: its issuer can unblock it"},
    Row{number(SCARD_E_NO_SMARTCARD), ErrorCode::kBusy, kNoCard},
    Row{number(SCARD_W_REMOVED_CARD), ErrorCode::kIo, kNoCard},
    Row{number(SCARD_E_NO_READERS_AVAILABLE), ErrorCode::kBusy, kNoCard},
    Row{number(SCARD_E_NO_SERVICE), ErrorCode::kBusy, kNoCard},
    Row{number(SCARD_E_SHARING_VIOLATION), ErrorCode::kBusy, "another program uses the smart card: try again"},
    Row{0x80280803, ErrorCode::kBusy,  // TPM_E_DEFEND_LOCK_RUNNING, which mingw lacks
        "the TPM is locked for a time after failed attempts: try again later"},
};

}  // namespace

Error key_error(std::uint32_t code) {
  const auto* const known = std::ranges::find(kRows, code, &Row::code);
  if (known != std::end(kRows)) return {known->kind, known->message};
  return {ErrorCode::kIo, "Windows cannot use the private key: " + system_message(code)};
}

Error decryption_error(std::uint32_t code) {
  if (code == number(NTE_BAD_DATA) || code == number(NTE_BAD_LEN) || code == number(NTE_INVALID_PARAMETER) ||
      code == ERROR_INVALID_PARAMETER || code == number(NTE_DECRYPTION_FAILURE)) {
    return {ErrorCode::kDecryptionFailed, "the data was not encrypted for this key"};
  }
  return key_error(code);
}

}  // namespace devtrust
