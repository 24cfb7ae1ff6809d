// PKCS#11 3.0 §5.6 "Session management functions".
#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

/// Another thread must not hold this session's mutex for a login: unlocking a store takes a while, and others may sign.
template <typename Body>
CK_RV token_call(const char* function, std::initializer_list<Argument> arguments, CK_SESSION_HANDLE handle,
                 const Body& body) noexcept {
  return library_call(function, arguments, [&body, handle](Library& library) -> Answer<> {
    const SessionPtr session = library.find_session(handle);
    if (!session) return refuse(CKR_SESSION_HANDLE_INVALID);
    return body(library, session->slot());
  });
}

Answer<> login(Library& library, Slot& slot, CK_USER_TYPE user, const CK_BYTE* pin, CK_ULONG length) {
  switch (user) {
    case CKU_USER:
      break;
    case CKU_CONTEXT_SPECIFIC:
      return refuse(CKR_OPERATION_NOT_INITIALIZED, "no key of this token asks for a login at each use");
    default:
      return refuse(CKR_USER_TYPE_INVALID, "this token has no security officer");
  }
  const auto password = input(pin, length);
  if (!password) return tl::unexpected(password.error());
  if (length > kMaxPinLength) return refuse(CKR_PIN_LEN_RANGE);
  return library.login(slot, devtrust::as_text(*password));
}

}  // namespace

CK_RV C_OpenSession(CK_SLOT_ID slotID, CK_FLAGS flags, CK_VOID_PTR /*pApplication*/, CK_NOTIFY /*Notify*/,
                    CK_SESSION_HANDLE* phSession) {
  return library_call("C_OpenSession", {value("slot", slotID), value("flags", flags), result("session", phSession)},
                      [&](Library& library) -> Answer<> {
                        const auto slot = library.find_slot(slotID);
                        if (!slot) return tl::unexpected(slot.error());
                        if (phSession == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        if ((flags & CKF_SERIAL_SESSION) == 0) return refuse(CKR_SESSION_PARALLEL_NOT_SUPPORTED);
                        *phSession = library.open_session(**slot, (flags & CKF_RW_SESSION) != 0);
                        return {};
                      });
}

CK_RV C_CloseSession(CK_SESSION_HANDLE hSession) {
  return library_call("C_CloseSession", {value("session", hSession)},
                      [&](Library& library) { return library.close_session(hSession); });
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slotID) {
  return library_call("C_CloseAllSessions", {value("slot", slotID)}, [&](Library& library) -> Answer<> {
    const auto slot = library.find_slot(slotID);
    if (!slot) return tl::unexpected(slot.error());
    library.close_all_sessions(**slot);
    return {};
  });
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE hSession, CK_SESSION_INFO* pInfo) {
  return library_call("C_GetSessionInfo", {value("session", hSession)}, [&](Library& library) -> Answer<> {
    const SessionPtr session = library.find_session(hSession);
    if (!session) return refuse(CKR_SESSION_HANDLE_INVALID);
    if (pInfo == nullptr) return refuse(CKR_ARGUMENTS_BAD);
    *pInfo = session->info();
    return {};
  });
}

CK_RV C_SessionCancel(CK_SESSION_HANDLE hSession, CK_FLAGS flags) {
  return session_call("C_SessionCancel", {value("session", hSession), value("flags", flags)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        const auto named = [flags](CK_FLAGS flag) { return (flags & flag) != 0; };
                        if (named(CKF_FIND_OBJECTS)) session.finding.reset();
                        if (named(CKF_DIGEST)) session.digesting.reset();
                        if (named(session.sign_recover ? CKF_SIGN_RECOVER : CKF_SIGN)) session.signing.reset();
                        if (named(session.verify_recover ? CKF_VERIFY_RECOVER : CKF_VERIFY)) session.verifying.reset();
                        if (named(CKF_ENCRYPT)) session.encrypting.reset();
                        if (named(CKF_DECRYPT)) session.decrypting.reset();
                        return {};
                      });
}

CK_RV C_GetOperationState(CK_SESSION_HANDLE hSession, CK_BYTE* pOperationState, CK_ULONG* pulOperationStateLen) {
  return session_call("C_GetOperationState", {value("session", hSession), buffer("state", pOperationState)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        if (pulOperationStateLen == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        if (!session.any_cryptographic_operation()) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        return refuse(CKR_STATE_UNSAVEABLE);
                      });
}

CK_RV C_SetOperationState(CK_SESSION_HANDLE hSession, CK_BYTE* pOperationState, CK_ULONG ulOperationStateLen,
                          CK_OBJECT_HANDLE hEncryptionKey, CK_OBJECT_HANDLE hAuthenticationKey) {
  return session_call("C_SetOperationState",
                      {value("session", hSession), value("encryption_key", hEncryptionKey),
                       value("authentication_key", hAuthenticationKey)},
                      hSession, [&](Library&, Session&) -> Answer<> {
                        if (pOperationState == nullptr || ulOperationStateLen == 0) return refuse(CKR_ARGUMENTS_BAD);
                        return refuse(CKR_SAVED_STATE_INVALID, "no state was ever saved");
                      });
}

CK_RV C_Login(CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR* pPin, CK_ULONG ulPinLen) {
  return token_call("C_Login", {value("session", hSession), value("user", userType)}, hSession,
                    [&](Library& library, Slot& slot) { return login(library, slot, userType, pPin, ulPinLen); });
}

CK_RV C_LoginUser(CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR* pPin, CK_ULONG ulPinLen,
                  CK_UTF8CHAR* pUsername, CK_ULONG ulUsernameLen) {
  return token_call("C_LoginUser", {value("session", hSession), value("user", userType)}, hSession,
                    [&](Library& library, Slot& slot) -> Answer<> {
                      if (!input(pUsername, ulUsernameLen)) return refuse(CKR_ARGUMENTS_BAD);
                      if (ulUsernameLen > 0) {
                        return refuse(CKR_ARGUMENTS_BAD, "this token knows no user names: pass none");
                      }
                      return login(library, slot, userType, pPin, ulPinLen);
                    });
}

CK_RV C_Logout(CK_SESSION_HANDLE hSession) {
  return token_call("C_Logout", {value("session", hSession)}, hSession,
                    [](Library& library, Slot& slot) { return library.logout(slot); });
}
