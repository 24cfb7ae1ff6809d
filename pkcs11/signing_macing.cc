// PKCS#11 3.0 §5.13 "Signing and MACing functions".
#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

Answer<> begin(Session& session, const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE handle, bool recover) {
  return begin_operation(session.signing, mechanism, [&]() -> Answer<SignOperation> {
    const auto key = session.find_key(handle, CKO_PRIVATE_KEY, recover ? CKA_SIGN_RECOVER : CKA_SIGN);
    if (!key) return tl::unexpected(key.error());
    session.sign_recover = recover;
    return SignOperation::begin(*mechanism, (*key)->identity(), recover);
  });
}

/// C_Sign and C_SignRecover, and with no data C_SignFinal.
Answer<> finish(const Library& library, Session& session, bool recover, bool whole, const CK_BYTE* data,
                CK_ULONG data_length, CK_BYTE* signature, CK_ULONG* length) {
  if (!session.signing || session.sign_recover != recover) return refuse(CKR_OPERATION_NOT_INITIALIZED);
  Ending ending(session.signing);
  const auto last = input(data, data_length);
  if (!last) return tl::unexpected(last.error());
  if (whole && session.signing->in_parts()) return refuse(CKR_OPERATION_ACTIVE, "it was begun in parts");
  const CK_ULONG size = session.signing->size();
  const auto room = has_room(ending, signature, length, size);
  if (!room) return tl::unexpected(room.error());
  if (!*room) return {};
  const auto written = session.signing->finish(*last, {signature, size}, library.audit());
  if (!written) return tl::unexpected(written.error());
  *length = *written;
  return {};
}

}  // namespace

CK_RV C_SignInit(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism, CK_OBJECT_HANDLE hKey) {
  return session_call("C_SignInit", {value("session", hSession), mechanism_argument(pMechanism), value("key", hKey)},
                      hSession, [&](Library&, Session& session) { return begin(session, pMechanism, hKey, false); });
}

CK_RV C_Sign(CK_SESSION_HANDLE hSession, CK_BYTE* pData, CK_ULONG ulDataLen, CK_BYTE* pSignature,
             CK_ULONG* pulSignatureLen) {
  return session_call("C_Sign",
                      {value("session", hSession), value("data_len", ulDataLen), buffer("signature", pSignature),
                       result("signature_len", pulSignatureLen)},
                      hSession, [&](const Library& library, Session& session) {
                        return finish(library, session, false, true, pData, ulDataLen, pSignature, pulSignatureLen);
                      });
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE hSession, CK_BYTE* pPart, CK_ULONG ulPartLen) {
  return session_call("C_SignUpdate", {value("session", hSession), value("part_len", ulPartLen)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        if (session.sign_recover) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        return update_operation(session.signing, pPart, ulPartLen);
                      });
}

CK_RV C_SignFinal(CK_SESSION_HANDLE hSession, CK_BYTE* pSignature, CK_ULONG* pulSignatureLen) {
  return session_call(
      "C_SignFinal",
      {value("session", hSession), buffer("signature", pSignature), result("signature_len", pulSignatureLen)}, hSession,
      [&](const Library& library, Session& session) {
        return finish(library, session, false, false, nullptr, 0, pSignature, pulSignatureLen);
      });
}

CK_RV C_SignRecoverInit(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism, CK_OBJECT_HANDLE hKey) {
  return session_call("C_SignRecoverInit",
                      {value("session", hSession), mechanism_argument(pMechanism), value("key", hKey)}, hSession,
                      [&](Library&, Session& session) { return begin(session, pMechanism, hKey, true); });
}

CK_RV C_SignRecover(CK_SESSION_HANDLE hSession, CK_BYTE* pData, CK_ULONG ulDataLen, CK_BYTE* pSignature,
                    CK_ULONG* pulSignatureLen) {
  return session_call("C_SignRecover",
                      {value("session", hSession), value("data_len", ulDataLen), buffer("signature", pSignature),
                       result("signature_len", pulSignatureLen)},
                      hSession, [&](const Library& library, Session& session) {
                        return finish(library, session, true, true, pData, ulDataLen, pSignature, pulSignatureLen);
                      });
}
