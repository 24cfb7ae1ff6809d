#include "tests/unit/backends/token/token_double.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>

namespace {

constexpr const char* kPin = "1234";

TokenDouble knobs;
CK_FUNCTION_LIST* softhsm = nullptr;
CK_FUNCTION_LIST functions;
CK_SESSION_HANDLE signing = CK_INVALID_HANDLE;
bool pin_is_due = false;

CK_UTF8CHAR* pin() { return reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(kPin)); }

CK_RV initialize(void* arguments) {
  if (knobs.cannot_lock && (static_cast<CK_C_INITIALIZE_ARGS*>(arguments)->flags & CKF_OS_LOCKING_OK) != 0) {
    return CKR_CANT_LOCK;
  }
  const CK_RV rv = softhsm->C_Initialize(arguments);
  if (rv == CKR_OK) ++knobs.initialized;
  return rv;
}

CK_RV finalize(void* reserved) {
  ++knobs.finalized;
  return softhsm->C_Finalize(reserved);
}

CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID* slots, CK_ULONG* count) {
  if (knobs.during_slot_list != nullptr) knobs.during_slot_list();
  if (knobs.no_slots || (present == CK_TRUE && knobs.removed)) {
    *count = 0;
    return CKR_OK;
  }
  const CK_RV rv = softhsm->C_GetSlotList(present, slots, count);
  *count += knobs.more_slots;
  return rv;
}

CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  const CK_RV rv = softhsm->C_GetTokenInfo(slot, info);
  info->flags |= knobs.more_token_flags;
  if (knobs.own_reader) info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
  return rv;
}

CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void* application, CK_NOTIFY notify, CK_SESSION_HANDLE* session) {
  if (knobs.removed || knobs.no_slots) return CKR_TOKEN_NOT_PRESENT;
  if (knobs.few_sessions != 0 && static_cast<CK_ULONG>(std::atomic_ref(knobs.sessions)) >= knobs.few_sessions)
    return CKR_SESSION_COUNT;
  const CK_RV rv = softhsm->C_OpenSession(slot, flags, application, notify, session);
  if (rv == CKR_OK) ++std::atomic_ref(knobs.sessions);
  return rv;
}

CK_RV close_session(CK_SESSION_HANDLE session) {
  const CK_RV rv = softhsm->C_CloseSession(session);
  if (rv == CKR_OK) --std::atomic_ref(knobs.sessions);
  return rv;
}

CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* given, CK_ULONG length) {
  ++std::atomic_ref(knobs.logins);
  if (knobs.login != CKR_OK) return knobs.login;
  if (knobs.own_reader && given != nullptr) return CKR_ARGUMENTS_BAD;
  if (knobs.own_reader) {
    given = pin();
    length = 4;
  }
  if (user != CKU_CONTEXT_SPECIFIC) return softhsm->C_Login(session, user, given, length);
  if (session != signing || !pin_is_due) return CKR_OPERATION_NOT_INITIALIZED;
  if (length != 4 || !std::equal(given, given + length, kPin)) return CKR_PIN_INCORRECT;
  pin_is_due = false;
  ++knobs.uses_with_pin;
  return CKR_OK;
}

CK_RV find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE* objects, CK_ULONG most, CK_ULONG* count) {
  const CK_RV rv = softhsm->C_FindObjects(session, objects, most, count);
  *count += knobs.more_found;
  return rv;
}

/// SoftHSM compares what it holds, and its keys ask for no PIN at each use.
CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE* wanted, CK_ULONG count) {
  if (count == 2 && wanted[1].type == CKA_ALWAYS_AUTHENTICATE && knobs.pin_at_each_use) count = 1;
  return softhsm->C_FindObjectsInit(session, wanted, count);
}

CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE* list, CK_ULONG count) {
  const bool second = count > 0 && list[0].pValue != nullptr;
  CK_OBJECT_CLASS object_class = 0;
  CK_ATTRIBUTE what{CKA_CLASS, &object_class, sizeof object_class};
  softhsm->C_GetAttributeValue(session, object, &what, 1);
  CK_RV rv = softhsm->C_GetAttributeValue(session, object, list, count);
  for (CK_ULONG i = 0; i < count; ++i) {
    const CK_ATTRIBUTE_TYPE type = list[i].type;
    if (type == CKA_ALWAYS_AUTHENTICATE && knobs.pin_at_each_use) {
      if (second) *static_cast<CK_BBOOL*>(list[i].pValue) = CK_TRUE;
    }
    if (object_class == CKO_PRIVATE_KEY && knobs.nameless_key && (type == CKA_MODULUS || type == CKA_EC_POINT)) {
      list[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
      rv = CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (second) list[i].ulValueLen += knobs.more_attribute;
    if (!second && knobs.huge_attribute != 0) list[i].ulValueLen = knobs.huge_attribute;
  }
  return rv;
}

CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
  const CK_RV rv = softhsm->C_SignInit(session, mechanism, key);
  if (rv == CKR_OK) {
    if (knobs.pin_at_each_use) {
      signing = session;
      pin_is_due = true;
    }
  }
  return rv;
}

CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE* data, CK_ULONG length, CK_BYTE* signature, CK_ULONG* signature_length) {
  if (knobs.next_sign != CKR_OK) {
    const CK_RV rv = knobs.next_sign;
    knobs.next_sign = CKR_OK;
    return rv;
  }
  if (pin_is_due) return CKR_USER_NOT_LOGGED_IN;
  const CK_RV rv = softhsm->C_Sign(session, data, length, signature, signature_length);
  if (rv == CKR_OK && knobs.wrong_signature) signature[*signature_length - 1] ^= 1;
  *signature_length += knobs.more_signature;
  return rv;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) TokenDouble* token_double() { return &knobs; }

CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  if (softhsm == nullptr) {
    void* library = dlopen(DEVTRUST_SOFTHSM, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return CKR_GENERAL_ERROR;
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
    if (get(&softhsm) != CKR_OK) return CKR_GENERAL_ERROR;
    functions = *softhsm;
    functions.C_Initialize = initialize;
    functions.C_Finalize = finalize;
    functions.C_GetSlotList = get_slot_list;
    functions.C_GetTokenInfo = get_token_info;
    functions.C_OpenSession = open_session;
    functions.C_CloseSession = close_session;
    functions.C_Login = login;
    functions.C_FindObjects = find_objects;
    functions.C_FindObjectsInit = find_objects_init;
    functions.C_GetAttributeValue = get_attribute_value;
    functions.C_SignInit = sign_init;
    functions.C_Sign = sign;
  }
  *list = &functions;
  return CKR_OK;
}
