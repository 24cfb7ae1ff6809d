// PKCS#11 3.0 §5.10 "Decryption functions".
#include <algorithm>

#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

/// A length query answers without using the key: with the most that there can be. The key is used once, however often a
/// caller comes back with a larger buffer.
Answer<> finish(const Library& library, Session& session, bool whole, const CK_BYTE* ciphertext,
                CK_ULONG ciphertext_length, CK_BYTE* data, CK_ULONG* length) {
  if (!session.decrypting) return refuse(CKR_OPERATION_NOT_INITIALIZED);
  Ending ending(session.decrypting);
  const auto last = input(ciphertext, ciphertext_length);
  if (!last) return tl::unexpected(last.error());
  if (length == nullptr) return refuse(CKR_ARGUMENTS_BAD);
  if (whole && session.decrypting->in_parts()) return refuse(CKR_OPERATION_ACTIVE, "it was begun in parts");
  if (data == nullptr) {
    *length = session.decrypting->max_size();
    ending.go_on();
    return {};
  }
  const auto decrypted = session.decrypting->finish(*last, library.audit());
  if (!decrypted) return tl::unexpected(decrypted.error());
  const auto room = has_room(ending, data, length, to_ulong(decrypted->size()));
  if (!room) return tl::unexpected(room.error());
  std::ranges::copy(*decrypted, data);
  *length = to_ulong(decrypted->size());
  return {};
}

}  // namespace

CK_RV C_DecryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism, CK_OBJECT_HANDLE hKey) {
  return session_call("C_DecryptInit", {value("session", hSession), mechanism_argument(pMechanism), value("key", hKey)},
                      hSession, [&](Library&, Session& session) -> Answer<> {
                        return begin_operation(session.decrypting, pMechanism, [&]() -> Answer<DecryptOperation> {
                          const auto key = session.find_key(hKey, CKO_PRIVATE_KEY, CKA_DECRYPT);
                          if (!key) return tl::unexpected(key.error());
                          return DecryptOperation::begin(*pMechanism, (*key)->identity());
                        });
                      });
}

CK_RV C_Decrypt(CK_SESSION_HANDLE hSession, CK_BYTE* pEncryptedData, CK_ULONG ulEncryptedDataLen, CK_BYTE* pData,
                CK_ULONG* pulDataLen) {
  return session_call("C_Decrypt",
                      {value("session", hSession), value("encrypted_len", ulEncryptedDataLen), buffer("data", pData),
                       result("data_len", pulDataLen)},
                      hSession, [&](const Library& library, Session& session) {
                        return finish(library, session, true, pEncryptedData, ulEncryptedDataLen, pData, pulDataLen);
                      });
}

CK_RV C_DecryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE* pEncryptedPart, CK_ULONG ulEncryptedPartLen,
                      CK_BYTE* /*pPart*/, CK_ULONG* pulPartLen) {
  return session_call("C_DecryptUpdate", {value("session", hSession), value("part_len", ulEncryptedPartLen)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        return gather(session.decrypting, pEncryptedPart, ulEncryptedPartLen, pulPartLen);
                      });
}

CK_RV C_DecryptFinal(CK_SESSION_HANDLE hSession, CK_BYTE* pLastPart, CK_ULONG* pulLastPartLen) {
  return session_call("C_DecryptFinal",
                      {value("session", hSession), buffer("data", pLastPart), result("data_len", pulLastPartLen)},
                      hSession, [&](const Library& library, Session& session) {
                        return finish(library, session, false, nullptr, 0, pLastPart, pulLastPartLen);
                      });
}
