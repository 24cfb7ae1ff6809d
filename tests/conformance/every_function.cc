#include "tests/conformance/every_function.h"

namespace devtrust::testing {
namespace {

using Needs = Function::Needs;

template <typename T>
T* as(void* memory) {
  return static_cast<T*>(memory);
}

}  // namespace

#define CALL(needs, function, ...)                                                                              \
  {                                                                                                             \
#function, needs, [](const CK_FUNCTION_LIST_3_0& f, const Arguments& a) { return f.function(__VA_ARGS__); } \
  }
#define CALL_OR_OK(needs, function, ...)                                                                              \
  {                                                                                                                   \
#function, needs, [](const CK_FUNCTION_LIST_3_0& f, const Arguments& a) { return f.function(__VA_ARGS__); }, true \
  }

const std::vector<Function>& every_function() {
  constexpr auto kLibrary = Needs::kLibrary;
  constexpr auto kSlot = Needs::kSlot;
  constexpr auto kSession = Needs::kSession;
  // clang-format off
  static const std::vector<Function> functions = {
      CALL(kLibrary, C_GetInfo, as<CK_INFO>(a.info)),
      CALL(kLibrary, C_GetSlotList, CK_TRUE, a.handles, a.handle_count),
      CALL(kLibrary, C_WaitForSlotEvent, CKF_DONT_BLOCK, a.handles, nullptr),
      CALL(kSlot, C_GetSlotInfo, a.slot, as<CK_SLOT_INFO>(a.info)),
      CALL(kSlot, C_GetTokenInfo, a.slot, as<CK_TOKEN_INFO>(a.info)),
      CALL(kSlot, C_GetMechanismList, a.slot, a.handles, a.handle_count),
      CALL(kSlot, C_GetMechanismInfo, a.slot, CKM_SHA256, as<CK_MECHANISM_INFO>(a.info)),
      CALL(kSlot, C_InitToken, a.slot, a.in, a.in_length, a.out),
      CALL(kSlot, C_OpenSession, a.slot, CKF_SERIAL_SESSION | (a.flags & CKF_RW_SESSION), nullptr, nullptr, a.handles),
      CALL_OR_OK(kSlot, C_CloseAllSessions, a.slot),
      CALL(kSession, C_InitPIN, a.session, a.in, a.in_length),
      CALL(kSession, C_SetPIN, a.session, a.in, a.in_length, a.in, a.in_length),
      CALL_OR_OK(kSession, C_CloseSession, a.session),
      CALL(kSession, C_GetSessionInfo, a.session, as<CK_SESSION_INFO>(a.info)),
      CALL(kSession, C_GetOperationState, a.session, a.out, a.out_length),
      CALL(kSession, C_SetOperationState, a.session, a.in, a.in_length, a.object, a.object),
      CALL(kSession, C_Login, a.session, a.user, a.in, a.in_length),
      CALL(kSession, C_LoginUser, a.session, a.user, a.in, a.in_length, nullptr, 0),
      CALL_OR_OK(kSession, C_Logout, a.session),
      CALL(kSession, C_CreateObject, a.session, a.attributes, a.attribute_count, a.handles),
      CALL(kSession, C_CopyObject, a.session, a.object, a.attributes, a.attribute_count, a.handles),
      CALL_OR_OK(kSession, C_DestroyObject, a.session, a.object),
      CALL(kSession, C_GetObjectSize, a.session, a.object, a.handles),
      CALL(kSession, C_GetAttributeValue, a.session, a.object, a.attributes, a.attribute_count),
      CALL(kSession, C_SetAttributeValue, a.session, a.object, a.attributes, a.attribute_count),
      CALL(kSession, C_FindObjectsInit, a.session, a.attributes, a.attribute_count),
      CALL(kSession, C_FindObjects, a.session, a.handles, a.handle_count == nullptr ? 4 : *a.handle_count, a.out_length),
      CALL_OR_OK(kSession, C_FindObjectsFinal, a.session),
      CALL(kSession, C_EncryptInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_Encrypt, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_EncryptUpdate, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_EncryptFinal, a.session, a.out, a.out_length),
      CALL(kSession, C_DecryptInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_Decrypt, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_DecryptUpdate, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_DecryptFinal, a.session, a.out, a.out_length),
      CALL(kSession, C_DigestInit, a.session, a.mechanism),
      CALL(kSession, C_Digest, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_DigestUpdate, a.session, a.in, a.in_length),
      CALL(kSession, C_DigestKey, a.session, a.object),
      CALL(kSession, C_DigestFinal, a.session, a.out, a.out_length),
      CALL(kSession, C_SignInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_Sign, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_SignUpdate, a.session, a.in, a.in_length),
      CALL(kSession, C_SignFinal, a.session, a.out, a.out_length),
      CALL(kSession, C_SignRecoverInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_SignRecover, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_VerifyInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_Verify, a.session, a.in, a.in_length, a.in, a.in_length),
      CALL(kSession, C_VerifyUpdate, a.session, a.in, a.in_length),
      CALL(kSession, C_VerifyFinal, a.session, a.in, a.in_length),
      CALL(kSession, C_VerifyRecoverInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_VerifyRecover, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_DigestEncryptUpdate, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_DecryptDigestUpdate, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_SignEncryptUpdate, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_DecryptVerifyUpdate, a.session, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_GenerateKey, a.session, a.mechanism, a.attributes, a.attribute_count, a.handles),
      CALL(kSession, C_GenerateKeyPair, a.session, a.mechanism, a.attributes, a.attribute_count, a.attributes,
           a.attribute_count, a.handles, a.handles),
      CALL(kSession, C_WrapKey, a.session, a.mechanism, a.object, a.object, a.out, a.out_length),
      CALL(kSession, C_UnwrapKey, a.session, a.mechanism, a.object, a.in, a.in_length, a.attributes, a.attribute_count,
           a.handles),
      CALL(kSession, C_DeriveKey, a.session, a.mechanism, a.object, a.attributes, a.attribute_count, a.handles),
      CALL(kSession, C_SeedRandom, a.session, a.in, a.in_length),
      CALL(kSession, C_GenerateRandom, a.session, a.out, a.out == nullptr ? 4 : 16),
      CALL(kSession, C_GetFunctionStatus, a.session),
      CALL(kSession, C_CancelFunction, a.session),
      CALL_OR_OK(kSession, C_SessionCancel, a.session, a.flags),
      CALL(kSession, C_MessageEncryptInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_EncryptMessage, a.session, a.in, a.in_length, a.in, a.in_length, a.in, a.in_length, a.out,
           a.out_length),
      CALL(kSession, C_EncryptMessageBegin, a.session, a.in, a.in_length, a.in, a.in_length),
      CALL(kSession, C_EncryptMessageNext, a.session, a.in, a.in_length, a.in, a.in_length, a.out, a.out_length, a.flags),
      CALL(kSession, C_MessageEncryptFinal, a.session),
      CALL(kSession, C_MessageDecryptInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_DecryptMessage, a.session, a.in, a.in_length, a.in, a.in_length, a.in, a.in_length, a.out,
           a.out_length),
      CALL(kSession, C_DecryptMessageBegin, a.session, a.in, a.in_length, a.in, a.in_length),
      CALL(kSession, C_DecryptMessageNext, a.session, a.in, a.in_length, a.in, a.in_length, a.out, a.out_length, a.flags),
      CALL(kSession, C_MessageDecryptFinal, a.session),
      CALL(kSession, C_MessageSignInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_SignMessage, a.session, a.in, a.in_length, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_SignMessageBegin, a.session, a.in, a.in_length),
      CALL(kSession, C_SignMessageNext, a.session, a.in, a.in_length, a.in, a.in_length, a.out, a.out_length),
      CALL(kSession, C_MessageSignFinal, a.session),
      CALL(kSession, C_MessageVerifyInit, a.session, a.mechanism, a.object),
      CALL(kSession, C_VerifyMessage, a.session, a.in, a.in_length, a.in, a.in_length, a.in, a.in_length),
      CALL(kSession, C_VerifyMessageBegin, a.session, a.in, a.in_length),
      CALL(kSession, C_VerifyMessageNext, a.session, a.in, a.in_length, a.in, a.in_length, a.in, a.in_length),
      CALL(kSession, C_MessageVerifyFinal, a.session),
  };
  // clang-format on
  return functions;
}

}  // namespace devtrust::testing
