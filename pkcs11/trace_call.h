// How a call looks in the trace: its name, its arguments, its return code and its time. Never a PIN, a key or data.
#pragma once

#include <chrono>
#include <span>
#include <string>

#include "pkcs11/cryptoki.h"

namespace devtrust::pkcs11 {

/// "CKR_OK", or "CKR_0x…" for one that has no name.
std::string rv_name(CK_RV rv);
/// "CKA_LABEL", or "CKA_0x…" for one that has no name.
std::string attribute_name(CK_ATTRIBUTE_TYPE type);

/// One argument. What it points to is looked at only when the trace is on.
struct Argument {
  enum class Kind : unsigned char { kNumber, kPointer, kResult, kMechanism, kTemplate, kRequest };
  const char* name = nullptr;
  Kind kind = Kind::kNumber;
  const void* pointer = nullptr;
  CK_ULONG number = 0;
};

inline Argument value(const char* name, CK_ULONG number) { return {name, Argument::Kind::kNumber, nullptr, number}; }
/// A buffer: only whether there is one.
inline Argument buffer(const char* name, const void* pointer) { return {name, Argument::Kind::kPointer, pointer, 0}; }
/// A number that the call sets: shown as it is when the call ends.
inline Argument result(const char* name, const CK_ULONG* pointer) {
  return {name, Argument::Kind::kResult, pointer, 0};
}
inline Argument mechanism_argument(const CK_MECHANISM* mechanism) {
  return {"mechanism", Argument::Kind::kMechanism, mechanism, 0};
}
inline Argument attributes(const CK_ATTRIBUTE* attributes, CK_ULONG count) {
  return {"template", Argument::Kind::kTemplate, attributes, count};
}
/// A template whose values the call sets: what is in its buffers before is the host's own and may be a secret.
inline Argument requested(const CK_ATTRIBUTE* attributes, CK_ULONG count) {
  return {"template", Argument::Kind::kRequest, attributes, count};
}

/// One call's line in the trace. The arguments outlive it.
class CallTrace {
 public:
  CallTrace(const char* function, std::span<const Argument> arguments);
  /// Writes the line and hands `rv` back.
  CK_RV finish(CK_RV rv, const char* message = "") const;

 private:
  const char* function_;
  std::span<const Argument> arguments_;
  bool on_;
  std::string line_;  // the arguments as they were at the beginning
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace devtrust::pkcs11
