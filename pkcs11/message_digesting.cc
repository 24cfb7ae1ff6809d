// PKCS#11 3.0 §5.12 "Message digesting functions".
#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

/// The last step: `last` is C_Digest's data.
Answer<> finish(Session& session, devtrust::ByteView last, CK_BYTE* digest, CK_ULONG* length) {
  Ending ending(session.digesting);
  const CK_ULONG size = session.digesting->size();
  const auto room = has_room(ending, digest, length, size);
  if (!room) return tl::unexpected(room.error());
  if (!*room) return {};
  if (auto updated = session.digesting->update(last); !updated) return updated;
  if (auto finished = session.digesting->finish({digest, size}); !finished) return finished;
  *length = size;
  return {};
}

}  // namespace

CK_RV C_DigestInit(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism) {
  return session_call("C_DigestInit", {value("session", hSession), mechanism_argument(pMechanism)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        return begin_operation(session.digesting, pMechanism, [&] {
                          session.digest_in_parts = false;
                          return DigestOperation::begin(*pMechanism);
                        });
                      });
}

CK_RV C_Digest(CK_SESSION_HANDLE hSession, CK_BYTE* pData, CK_ULONG ulDataLen, CK_BYTE* pDigest,
               CK_ULONG* pulDigestLen) {
  return session_call("C_Digest",
                      {value("session", hSession), value("data_len", ulDataLen), buffer("digest", pDigest),
                       result("digest_len", pulDigestLen)},
                      hSession, [&](Library&, Session& session) -> Answer<> {
                        if (!session.digesting) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        const auto data = input(pData, ulDataLen);
                        if (!data || session.digest_in_parts) {
                          session.digesting.reset();
                          return refuse(data ? CKR_OPERATION_ACTIVE : CKR_ARGUMENTS_BAD);
                        }
                        return finish(session, *data, pDigest, pulDigestLen);
                      });
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE hSession, CK_BYTE* pPart, CK_ULONG ulPartLen) {
  return session_call("C_DigestUpdate", {value("session", hSession), value("part_len", ulPartLen)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        session.digest_in_parts = true;
                        return update_operation(session.digesting, pPart, ulPartLen);
                      });
}

CK_RV C_DigestKey(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hKey) {
  return session_call("C_DigestKey", {value("session", hSession), value("key", hKey)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        if (!session.digesting) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        Ending ending(session.digesting);
                        const auto key = session.find_object(hKey);
                        if (!key) return refuse(CKR_KEY_HANDLE_INVALID);
                        if ((*key)->object_class() != CKO_SECRET_KEY) return refuse(CKR_KEY_INDIGESTIBLE);
                        session.digest_in_parts = true;
                        auto updated = session.digesting->update((*key)->secret());
                        if (updated) ending.go_on();
                        return updated;
                      });
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE hSession, CK_BYTE* pDigest, CK_ULONG* pulDigestLen) {
  return session_call("C_DigestFinal",
                      {value("session", hSession), buffer("digest", pDigest), result("digest_len", pulDigestLen)},
                      hSession, [&](Library&, Session& session) -> Answer<> {
                        if (!session.digesting) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        return finish(session, {}, pDigest, pulDigestLen);
                      });
}
