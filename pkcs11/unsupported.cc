// What this token cannot do: dual-function operations (PKCS#11 3.0 §5.17), messages (§5.9, §5.11, §5.14, §5.16), making
// and wrapping keys (§5.18), and the functions of parallel sessions (§5.20). A wrong session is told first.
#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

CK_RV unsupported(const char* function, CK_SESSION_HANDLE session, CK_RV rv = CKR_FUNCTION_NOT_SUPPORTED) noexcept {
  return library_call(function, {value("session", session)}, [&](Library& library) -> Answer<> {
    return refuse(library.find_session(session) ? rv : CKR_SESSION_HANDLE_INVALID);
  });
}

}  // namespace

CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*) {
  return unsupported("C_DigestEncryptUpdate", hSession);
}

CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE hSession, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*) {
  return unsupported("C_DecryptDigestUpdate", hSession);
}

CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*) {
  return unsupported("C_SignEncryptUpdate", hSession);
}

CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE hSession, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*) {
  return unsupported("C_DecryptVerifyUpdate", hSession);
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE hSession, CK_MECHANISM*, CK_ATTRIBUTE*, CK_ULONG, CK_OBJECT_HANDLE*) {
  return unsupported("C_GenerateKey", hSession);
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE hSession, CK_MECHANISM*, CK_ATTRIBUTE*, CK_ULONG, CK_ATTRIBUTE*, CK_ULONG,
                        CK_OBJECT_HANDLE*, CK_OBJECT_HANDLE*) {
  return unsupported("C_GenerateKeyPair", hSession);
}

CK_RV C_WrapKey(CK_SESSION_HANDLE hSession, CK_MECHANISM*, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE, CK_BYTE*, CK_ULONG*) {
  return unsupported("C_WrapKey", hSession);
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE hSession, CK_MECHANISM*, CK_OBJECT_HANDLE, CK_BYTE*, CK_ULONG, CK_ATTRIBUTE*,
                  CK_ULONG, CK_OBJECT_HANDLE*) {
  return unsupported("C_UnwrapKey", hSession);
}

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM*, CK_OBJECT_HANDLE) {
  return unsupported("C_MessageEncryptInit", hSession);
}

CK_RV C_EncryptMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG,
                       CK_BYTE*, CK_ULONG*) {
  return unsupported("C_EncryptMessage", hSession);
}

CK_RV C_EncryptMessageBegin(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG) {
  return unsupported("C_EncryptMessageBegin", hSession);
}

CK_RV C_EncryptMessageNext(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*,
                           CK_FLAGS) {
  return unsupported("C_EncryptMessageNext", hSession);
}

CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE hSession) { return unsupported("C_MessageEncryptFinal", hSession); }

CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM*, CK_OBJECT_HANDLE) {
  return unsupported("C_MessageDecryptInit", hSession);
}

CK_RV C_DecryptMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG,
                       CK_BYTE*, CK_ULONG*) {
  return unsupported("C_DecryptMessage", hSession);
}

CK_RV C_DecryptMessageBegin(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG) {
  return unsupported("C_DecryptMessageBegin", hSession);
}

CK_RV C_DecryptMessageNext(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*,
                           CK_FLAGS) {
  return unsupported("C_DecryptMessageNext", hSession);
}

CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE hSession) { return unsupported("C_MessageDecryptFinal", hSession); }

CK_RV C_MessageSignInit(CK_SESSION_HANDLE hSession, CK_MECHANISM*, CK_OBJECT_HANDLE) {
  return unsupported("C_MessageSignInit", hSession);
}

CK_RV C_SignMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*) {
  return unsupported("C_SignMessage", hSession);
}

CK_RV C_SignMessageBegin(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG) {
  return unsupported("C_SignMessageBegin", hSession);
}

CK_RV C_SignMessageNext(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*) {
  return unsupported("C_SignMessageNext", hSession);
}

CK_RV C_MessageSignFinal(CK_SESSION_HANDLE hSession) { return unsupported("C_MessageSignFinal", hSession); }

CK_RV C_MessageVerifyInit(CK_SESSION_HANDLE hSession, CK_MECHANISM*, CK_OBJECT_HANDLE) {
  return unsupported("C_MessageVerifyInit", hSession);
}

CK_RV C_VerifyMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG) {
  return unsupported("C_VerifyMessage", hSession);
}

CK_RV C_VerifyMessageBegin(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG) {
  return unsupported("C_VerifyMessageBegin", hSession);
}

CK_RV C_VerifyMessageNext(CK_SESSION_HANDLE hSession, CK_VOID_PTR, CK_ULONG, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG) {
  return unsupported("C_VerifyMessageNext", hSession);
}

CK_RV C_MessageVerifyFinal(CK_SESSION_HANDLE hSession) { return unsupported("C_MessageVerifyFinal", hSession); }

CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE hSession) {
  return unsupported("C_GetFunctionStatus", hSession, CKR_FUNCTION_NOT_PARALLEL);
}

CK_RV C_CancelFunction(CK_SESSION_HANDLE hSession) {
  return unsupported("C_CancelFunction", hSession, CKR_FUNCTION_NOT_PARALLEL);
}
