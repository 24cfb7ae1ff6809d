// PKCS#11 3.0 §5.15 "Functions for verifying signatures and MACs".
#include <algorithm>

#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

Answer<> begin(Session& session, const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE handle, bool recover) {
  return begin_operation(session.verifying, mechanism, [&]() -> Answer<VerifyOperation> {
    const auto key = session.find_key(handle, CKO_PUBLIC_KEY, recover ? CKA_VERIFY_RECOVER : CKA_VERIFY);
    if (!key) return tl::unexpected(key.error());
    const CK_FLAGS use = recover ? CKF_VERIFY_RECOVER : CKF_VERIFY;
    const auto placed = check_place(*mechanism, *(*key)->identity()->key, use);
    if (!placed) return tl::unexpected(placed.error());
    session.verify_recover = recover;
    return VerifyOperation::begin(*mechanism, *(*key)->public_key(), recover);
  });
}

Answer<> finish(Session& session, bool whole, const CK_BYTE* data, CK_ULONG data_length, const CK_BYTE* signature,
                CK_ULONG length) {
  if (!session.verifying || session.verify_recover) return refuse(CKR_OPERATION_NOT_INITIALIZED);
  const Ending ending(session.verifying);
  const auto last = input(data, data_length);
  const auto given = input(signature, length);
  if (!last || !given) return refuse(CKR_ARGUMENTS_BAD);
  if (whole && session.verifying->in_parts()) return refuse(CKR_OPERATION_ACTIVE, "it was begun in parts");
  return session.verifying->finish(*last, *given);
}

}  // namespace

CK_RV C_VerifyInit(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism, CK_OBJECT_HANDLE hKey) {
  return session_call("C_VerifyInit", {value("session", hSession), mechanism_argument(pMechanism), value("key", hKey)},
                      hSession, [&](Library&, Session& session) { return begin(session, pMechanism, hKey, false); });
}

CK_RV C_Verify(CK_SESSION_HANDLE hSession, CK_BYTE* pData, CK_ULONG ulDataLen, CK_BYTE* pSignature,
               CK_ULONG ulSignatureLen) {
  return session_call(
      "C_Verify", {value("session", hSession), value("data_len", ulDataLen), value("signature_len", ulSignatureLen)},
      hSession,
      [&](Library&, Session& session) { return finish(session, true, pData, ulDataLen, pSignature, ulSignatureLen); });
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE hSession, CK_BYTE* pPart, CK_ULONG ulPartLen) {
  return session_call("C_VerifyUpdate", {value("session", hSession), value("part_len", ulPartLen)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        if (session.verify_recover) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        return update_operation(session.verifying, pPart, ulPartLen);
                      });
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE hSession, CK_BYTE* pSignature, CK_ULONG ulSignatureLen) {
  return session_call(
      "C_VerifyFinal", {value("session", hSession), value("signature_len", ulSignatureLen)}, hSession,
      [&](Library&, Session& session) { return finish(session, false, nullptr, 0, pSignature, ulSignatureLen); });
}

CK_RV C_VerifyRecoverInit(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism, CK_OBJECT_HANDLE hKey) {
  return session_call("C_VerifyRecoverInit",
                      {value("session", hSession), mechanism_argument(pMechanism), value("key", hKey)}, hSession,
                      [&](Library&, Session& session) { return begin(session, pMechanism, hKey, true); });
}

CK_RV C_VerifyRecover(CK_SESSION_HANDLE hSession, CK_BYTE* pSignature, CK_ULONG ulSignatureLen, CK_BYTE* pData,
                      CK_ULONG* pulDataLen) {
  return session_call("C_VerifyRecover",
                      {value("session", hSession), value("signature_len", ulSignatureLen), buffer("data", pData),
                       result("data_len", pulDataLen)},
                      hSession, [&](Library&, Session& session) -> Answer<> {
                        if (!session.verifying || !session.verify_recover) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        Ending ending(session.verifying);
                        const auto signature = input(pSignature, ulSignatureLen);
                        if (!signature) return tl::unexpected(signature.error());
                        if (pulDataLen == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        if (pData == nullptr) {
                          *pulDataLen = session.verifying->recover_size();
                          ending.go_on();
                          return {};
                        }
                        const auto data = session.verifying->recover(*signature);
                        if (!data) return tl::unexpected(data.error());
                        const auto room = has_room(ending, pData, pulDataLen, to_ulong(data->size()));
                        if (!room) return tl::unexpected(room.error());
                        std::ranges::copy(*data, pData);
                        *pulDataLen = to_ulong(data->size());
                        return {};
                      });
}
