// Every entry point of PKCS#11 3.0, to be called with anything.
#pragma once

#include <string>
#include <vector>

#include "pkcs11/cryptoki.h"

namespace devtrust::testing {

/// What a call is made with. All pointers may be NULL.
struct Arguments {
  CK_SLOT_ID slot = 0;
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  CK_FLAGS flags = 0;
  CK_USER_TYPE user = CKU_USER;
  CK_MECHANISM* mechanism = nullptr;
  CK_ATTRIBUTE* attributes = nullptr;
  CK_ULONG attribute_count = 0;
  CK_BYTE* in = nullptr;
  CK_ULONG in_length = 0;
  CK_BYTE* out = nullptr;
  CK_ULONG* out_length = nullptr;
  CK_ULONG* handles = nullptr;  ///< room for as many as `handle_count` says
  CK_ULONG* handle_count = nullptr;
  void* info = nullptr;  ///< room for any of the …_INFO structures
};

struct Function {
  enum class Needs { kSlot, kSession, kLibrary };

  const char* name;
  Needs needs;
  CK_RV (*call)(const CK_FUNCTION_LIST_3_0& f, const Arguments& a);
  /// What may come back although every pointer is NULL.
  bool may_succeed_with_null = false;
};

/// All that C_Initialize comes before. C_Initialize, C_Finalize and C_Get…List themselves are not among them.
const std::vector<Function>& every_function();

}  // namespace devtrust::testing
