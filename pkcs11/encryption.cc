// PKCS#11 3.0 §5.8 "Encryption functions". With a public key anyone may: hosts ask the token for it.
#include <algorithm>

#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

Answer<> finish(Session& session, bool whole, const CK_BYTE* data, CK_ULONG data_length, CK_BYTE* ciphertext,
                CK_ULONG* length) {
  if (!session.encrypting) return refuse(CKR_OPERATION_NOT_INITIALIZED);
  Ending ending(session.encrypting);
  const auto last = input(data, data_length);
  if (!last) return tl::unexpected(last.error());
  if (whole && session.encrypting->in_parts()) return refuse(CKR_OPERATION_ACTIVE, "it was begun in parts");
  const auto room = has_room(ending, ciphertext, length, session.encrypting->size());
  if (!room) return tl::unexpected(room.error());
  if (!*room) return {};
  const auto encrypted = session.encrypting->finish(*last);
  if (!encrypted) return tl::unexpected(encrypted.error());
  std::ranges::copy(*encrypted, ciphertext);
  *length = to_ulong(encrypted->size());
  return {};
}

}  // namespace

CK_RV C_EncryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism, CK_OBJECT_HANDLE hKey) {
  return session_call("C_EncryptInit", {value("session", hSession), mechanism_argument(pMechanism), value("key", hKey)},
                      hSession, [&](Library&, Session& session) -> Answer<> {
                        return begin_operation(session.encrypting, pMechanism, [&]() -> Answer<EncryptOperation> {
                          const auto key = session.find_key(hKey, CKO_PUBLIC_KEY, CKA_ENCRYPT);
                          if (!key) return tl::unexpected(key.error());
                          const auto placed = check_place(*pMechanism, *(*key)->identity()->key, CKF_ENCRYPT);
                          if (!placed) return tl::unexpected(placed.error());
                          return EncryptOperation::begin(*pMechanism, *(*key)->public_key());
                        });
                      });
}

CK_RV C_Encrypt(CK_SESSION_HANDLE hSession, CK_BYTE* pData, CK_ULONG ulDataLen, CK_BYTE* pEncryptedData,
                CK_ULONG* pulEncryptedDataLen) {
  return session_call("C_Encrypt",
                      {value("session", hSession), value("data_len", ulDataLen), buffer("encrypted", pEncryptedData),
                       result("encrypted_len", pulEncryptedDataLen)},
                      hSession, [&](Library&, Session& session) {
                        return finish(session, true, pData, ulDataLen, pEncryptedData, pulEncryptedDataLen);
                      });
}

CK_RV C_EncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE* pPart, CK_ULONG ulPartLen, CK_BYTE* /*pEncryptedPart*/,
                      CK_ULONG* pulEncryptedPartLen) {
  return session_call("C_EncryptUpdate", {value("session", hSession), value("part_len", ulPartLen)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        return gather(session.encrypting, pPart, ulPartLen, pulEncryptedPartLen);
                      });
}

CK_RV C_EncryptFinal(CK_SESSION_HANDLE hSession, CK_BYTE* pLastEncryptedPart, CK_ULONG* pulLastEncryptedPartLen) {
  return session_call("C_EncryptFinal",
                      {value("session", hSession), buffer("encrypted", pLastEncryptedPart),
                       result("encrypted_len", pulLastEncryptedPartLen)},
                      hSession, [&](Library&, Session& session) {
                        return finish(session, false, nullptr, 0, pLastEncryptedPart, pulLastEncryptedPartLen);
                      });
}
