#include "pkcs11/trace_call.h"

#include <array>
#include <charconv>
#include <string_view>

#include "identity/bytes.h"
#include "identity/trace.h"
#include "pkcs11/mechanism.h"

namespace devtrust::pkcs11 {
namespace {

struct Name {
  CK_ULONG number;
  const char* text;
};

#define NAME(constant) \
  Name { constant, #constant }
constexpr std::array kReturnValues{
    NAME(CKR_OK),
    NAME(CKR_CANCEL),
    NAME(CKR_HOST_MEMORY),
    NAME(CKR_SLOT_ID_INVALID),
    NAME(CKR_GENERAL_ERROR),
    NAME(CKR_FUNCTION_FAILED),
    NAME(CKR_ARGUMENTS_BAD),
    NAME(CKR_NO_EVENT),
    NAME(CKR_NEED_TO_CREATE_THREADS),
    NAME(CKR_CANT_LOCK),
    NAME(CKR_ATTRIBUTE_READ_ONLY),
    NAME(CKR_ATTRIBUTE_SENSITIVE),
    NAME(CKR_ATTRIBUTE_TYPE_INVALID),
    NAME(CKR_ATTRIBUTE_VALUE_INVALID),
    NAME(CKR_ACTION_PROHIBITED),
    NAME(CKR_DATA_INVALID),
    NAME(CKR_DATA_LEN_RANGE),
    NAME(CKR_DEVICE_ERROR),
    NAME(CKR_DEVICE_MEMORY),
    NAME(CKR_DEVICE_REMOVED),
    NAME(CKR_ENCRYPTED_DATA_INVALID),
    NAME(CKR_ENCRYPTED_DATA_LEN_RANGE),
    NAME(CKR_FUNCTION_CANCELED),
    NAME(CKR_FUNCTION_NOT_PARALLEL),
    NAME(CKR_FUNCTION_NOT_SUPPORTED),
    NAME(CKR_KEY_HANDLE_INVALID),
    NAME(CKR_KEY_SIZE_RANGE),
    NAME(CKR_KEY_TYPE_INCONSISTENT),
    NAME(CKR_KEY_NOT_NEEDED),
    NAME(CKR_KEY_CHANGED),
    NAME(CKR_KEY_NEEDED),
    NAME(CKR_KEY_INDIGESTIBLE),
    NAME(CKR_KEY_FUNCTION_NOT_PERMITTED),
    NAME(CKR_KEY_NOT_WRAPPABLE),
    NAME(CKR_KEY_UNEXTRACTABLE),
    NAME(CKR_MECHANISM_INVALID),
    NAME(CKR_MECHANISM_PARAM_INVALID),
    NAME(CKR_OBJECT_HANDLE_INVALID),
    NAME(CKR_OPERATION_ACTIVE),
    NAME(CKR_OPERATION_NOT_INITIALIZED),
    NAME(CKR_PIN_INCORRECT),
    NAME(CKR_PIN_INVALID),
    NAME(CKR_PIN_LEN_RANGE),
    NAME(CKR_PIN_EXPIRED),
    NAME(CKR_PIN_LOCKED),
    NAME(CKR_SESSION_CLOSED),
    NAME(CKR_SESSION_COUNT),
    NAME(CKR_SESSION_HANDLE_INVALID),
    NAME(CKR_SESSION_PARALLEL_NOT_SUPPORTED),
    NAME(CKR_SESSION_READ_ONLY),
    NAME(CKR_SESSION_EXISTS),
    NAME(CKR_SESSION_READ_ONLY_EXISTS),
    NAME(CKR_SESSION_READ_WRITE_SO_EXISTS),
    NAME(CKR_SIGNATURE_INVALID),
    NAME(CKR_SIGNATURE_LEN_RANGE),
    NAME(CKR_TEMPLATE_INCOMPLETE),
    NAME(CKR_TEMPLATE_INCONSISTENT),
    NAME(CKR_TOKEN_NOT_PRESENT),
    NAME(CKR_TOKEN_NOT_RECOGNIZED),
    NAME(CKR_TOKEN_WRITE_PROTECTED),
    NAME(CKR_UNWRAPPING_KEY_HANDLE_INVALID),
    NAME(CKR_UNWRAPPING_KEY_SIZE_RANGE),
    NAME(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
    NAME(CKR_USER_ALREADY_LOGGED_IN),
    NAME(CKR_USER_NOT_LOGGED_IN),
    NAME(CKR_USER_PIN_NOT_INITIALIZED),
    NAME(CKR_USER_TYPE_INVALID),
    NAME(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
    NAME(CKR_USER_TOO_MANY_TYPES),
    NAME(CKR_WRAPPED_KEY_INVALID),
    NAME(CKR_WRAPPED_KEY_LEN_RANGE),
    NAME(CKR_WRAPPING_KEY_HANDLE_INVALID),
    NAME(CKR_WRAPPING_KEY_SIZE_RANGE),
    NAME(CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
    NAME(CKR_RANDOM_SEED_NOT_SUPPORTED),
    NAME(CKR_RANDOM_NO_RNG),
    NAME(CKR_DOMAIN_PARAMS_INVALID),
    NAME(CKR_CURVE_NOT_SUPPORTED),
    NAME(CKR_BUFFER_TOO_SMALL),
    NAME(CKR_SAVED_STATE_INVALID),
    NAME(CKR_INFORMATION_SENSITIVE),
    NAME(CKR_STATE_UNSAVEABLE),
    NAME(CKR_CRYPTOKI_NOT_INITIALIZED),
    NAME(CKR_CRYPTOKI_ALREADY_INITIALIZED),
    NAME(CKR_MUTEX_BAD),
    NAME(CKR_MUTEX_NOT_LOCKED),
    NAME(CKR_NEW_PIN_MODE),
    NAME(CKR_NEXT_OTP),
    NAME(CKR_EXCEEDED_MAX_ITERATIONS),
    NAME(CKR_FIPS_SELF_TEST_FAILED),
    NAME(CKR_LIBRARY_LOAD_FAILED),
    NAME(CKR_PIN_TOO_WEAK),
    NAME(CKR_PUBLIC_KEY_INVALID),
    NAME(CKR_FUNCTION_REJECTED),
    NAME(CKR_TOKEN_RESOURCE_EXCEEDED),
    NAME(CKR_OPERATION_CANCEL_FAILED),
};
constexpr std::array kAttributes{
    NAME(CKA_CLASS),
    NAME(CKA_TOKEN),
    NAME(CKA_PRIVATE),
    NAME(CKA_LABEL),
    NAME(CKA_UNIQUE_ID),
    NAME(CKA_VALUE),
    NAME(CKA_CERTIFICATE_TYPE),
    NAME(CKA_ISSUER),
    NAME(CKA_SERIAL_NUMBER),
    NAME(CKA_TRUSTED),
    NAME(CKA_CERTIFICATE_CATEGORY),
    NAME(CKA_JAVA_MIDP_SECURITY_DOMAIN),
    NAME(CKA_URL),
    NAME(CKA_HASH_OF_SUBJECT_PUBLIC_KEY),
    NAME(CKA_HASH_OF_ISSUER_PUBLIC_KEY),
    NAME(CKA_NAME_HASH_ALGORITHM),
    NAME(CKA_CHECK_VALUE),
    NAME(CKA_KEY_TYPE),
    NAME(CKA_SUBJECT),
    NAME(CKA_ID),
    NAME(CKA_SENSITIVE),
    NAME(CKA_ENCRYPT),
    NAME(CKA_DECRYPT),
    NAME(CKA_WRAP),
    NAME(CKA_UNWRAP),
    NAME(CKA_SIGN),
    NAME(CKA_SIGN_RECOVER),
    NAME(CKA_VERIFY),
    NAME(CKA_VERIFY_RECOVER),
    NAME(CKA_DERIVE),
    NAME(CKA_START_DATE),
    NAME(CKA_END_DATE),
    NAME(CKA_MODULUS),
    NAME(CKA_MODULUS_BITS),
    NAME(CKA_PUBLIC_EXPONENT),
    NAME(CKA_PRIVATE_EXPONENT),
    NAME(CKA_PRIME_1),
    NAME(CKA_PRIME_2),
    NAME(CKA_EXPONENT_1),
    NAME(CKA_EXPONENT_2),
    NAME(CKA_COEFFICIENT),
    NAME(CKA_PUBLIC_KEY_INFO),
    NAME(CKA_VALUE_LEN),
    NAME(CKA_EXTRACTABLE),
    NAME(CKA_LOCAL),
    NAME(CKA_NEVER_EXTRACTABLE),
    NAME(CKA_ALWAYS_SENSITIVE),
    NAME(CKA_KEY_GEN_MECHANISM),
    NAME(CKA_MODIFIABLE),
    NAME(CKA_COPYABLE),
    NAME(CKA_DESTROYABLE),
    NAME(CKA_EC_PARAMS),
    NAME(CKA_EC_POINT),
    NAME(CKA_ALWAYS_AUTHENTICATE),
    NAME(CKA_WRAP_WITH_TRUSTED),
    NAME(CKA_ALLOWED_MECHANISMS),
    NAME(CKA_PROFILE_ID),
    NAME(CKA_APPLICATION),
    NAME(CKA_OBJECT_ID),
};
#undef NAME

std::string hexadecimal(CK_ULONG number) {
  std::array<char, 2 * sizeof number> digits{};
  return "0x" + std::string(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr);
}

template <std::size_t N>
std::string name_of(const std::array<Name, N>& names, const char* prefix, CK_ULONG number) {
  for (const Name& name : names) {
    if (name.number == number) return name.text;
  }
  return prefix + hexadecimal(number);
}

/// The attributes of a template. Values only of those that name or describe an object: never one that may hold a key.
std::string template_text(const CK_ATTRIBUTE* attributes, CK_ULONG count, bool with_values) {
  constexpr CK_ULONG kShown = 24;  // bytes: enough to know an id by
  constexpr CK_ULONG kMost = 64;
  if (attributes == nullptr) return count == 0 ? "{}" : "NULL";
  std::string text = "{";
  for (CK_ULONG i = 0; i < count && i < kMost; ++i) {
    const CK_ATTRIBUTE& attribute = attributes[i];
    if (i > 0) text += ", ";
    text += attribute_name(attribute.type);
    if (attribute.pValue == nullptr || attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION) continue;
    if (!with_values) {
      text += '[' + std::to_string(attribute.ulValueLen) + ']';
      continue;
    }
    const ByteView bytes(static_cast<const std::uint8_t*>(attribute.pValue), attribute.ulValueLen);
    switch (attribute.type) {
      case CKA_CLASS:
      case CKA_KEY_TYPE:
      case CKA_CERTIFICATE_TYPE:
      case CKA_TOKEN:
      case CKA_PRIVATE:
      case CKA_TRUSTED:
      case CKA_ID:
        text += '=' + to_hex(bytes.first(std::min<std::size_t>(bytes.size(), kShown)));
        break;
      case CKA_LABEL:
        text += "=\"" + std::string(as_text(bytes.first(std::min<std::size_t>(bytes.size(), kShown)))) + '"';
        break;
      default:
        text += '[' + std::to_string(attribute.ulValueLen) + ']';
    }
  }
  return text + (count > kMost ? ", …}" : "}");
}

std::string argument_text(const Argument& argument) {
  std::string text = argument.name;
  text += '=';
  switch (argument.kind) {
    case Argument::Kind::kNumber:
      return text + hexadecimal(argument.number);
    case Argument::Kind::kPointer:
    case Argument::Kind::kResult:
      return text + (argument.pointer == nullptr ? "NULL" : "set");
    case Argument::Kind::kMechanism:
      if (argument.pointer == nullptr) return text + "NULL";
      return text + mechanism_name(static_cast<const CK_MECHANISM*>(argument.pointer)->mechanism);
    case Argument::Kind::kTemplate:
    case Argument::Kind::kRequest:
      return text + template_text(static_cast<const CK_ATTRIBUTE*>(argument.pointer), argument.number,
                                  argument.kind == Argument::Kind::kTemplate);
  }
  return text;
}

}  // namespace

std::string rv_name(CK_RV rv) { return name_of(kReturnValues, "CKR_", rv); }
std::string attribute_name(CK_ATTRIBUTE_TYPE type) { return name_of(kAttributes, "CKA_", type); }

CallTrace::CallTrace(const char* function, std::span<const Argument> arguments)
    : function_(function), arguments_(arguments), on_(trace_enabled()) {
  if (!on_) return;
  line_ = function_;
  line_ += '(';
  for (const Argument& argument : arguments) {
    // what names nothing but a place to write to is shown at the end
    if (argument.kind == Argument::Kind::kResult && argument.pointer != nullptr) continue;
    if (line_.back() != '(') line_ += ", ";
    line_ += argument_text(argument);
  }
  line_ += ')';
  begin_ = std::chrono::steady_clock::now();
}

CK_RV CallTrace::finish(CK_RV rv, const char* message) const {
  if (!on_ && !trace_enabled()) return rv;
  std::string line = on_ ? line_ : function_;
  line += " = " + rv_name(rv);
  for (const Argument& argument : arguments_) {
    if (argument.kind != Argument::Kind::kResult || argument.pointer == nullptr) continue;
    if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL) continue;
    line += std::string(", ") + argument.name + '=' + hexadecimal(*static_cast<const CK_ULONG*>(argument.pointer));
  }
  if (on_) {
    const auto time = std::chrono::steady_clock::now() - begin_;
    line += ", " + std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(time).count()) + " us";
  }
  if (*message != '\0') line += std::string(": ") + message;
  trace(line);
  return rv;
}

}  // namespace devtrust::pkcs11
