// PKCS#11 3.0 §5.5 "Slot and token management functions".
#include <algorithm>

#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

CK_RV C_GetSlotList(CK_BBOOL tokenPresent, CK_SLOT_ID* pSlotList, CK_ULONG* pulCount) {
  return library_call("C_GetSlotList",
                      {value("present", tokenPresent), buffer("list", pSlotList), result("count", pulCount)},
                      [&](Library& library) -> Answer<> {
                        if (pulCount == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        const auto ids = library.list_slots(pSlotList == nullptr);  // there is a token in each
                        const CK_ULONG room = *pulCount;
                        *pulCount = to_ulong(ids.size());
                        if (pSlotList == nullptr) return {};
                        if (room < ids.size()) return refuse(CKR_BUFFER_TOO_SMALL);
                        std::ranges::copy(ids, pSlotList);
                        return {};
                      });
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slotID, CK_SLOT_INFO* pInfo) {
  return library_call("C_GetSlotInfo", {value("slot", slotID)}, [&](Library& library) -> Answer<> {
    const auto slot = library.find_slot(slotID);
    if (!slot) return tl::unexpected(slot.error());
    if (pInfo == nullptr) return refuse(CKR_ARGUMENTS_BAD);
    *pInfo = (*slot)->slot_info(*library.view(**slot));
    return {};
  });
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slotID, CK_TOKEN_INFO* pInfo) {
  return library_call("C_GetTokenInfo", {value("slot", slotID)}, [&](Library& library) -> Answer<> {
    const auto slot = library.find_slot(slotID);
    if (!slot) return tl::unexpected(slot.error());
    if (pInfo == nullptr) return refuse(CKR_ARGUMENTS_BAD);
    library.view(**slot);  // a token that was replaced tells of itself
    *pInfo = (*slot)->token_info();
    return {};
  });
}

CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID* pSlot, CK_VOID_PTR pReserved) {
  return waiting_call("C_WaitForSlotEvent", {value("flags", flags), result("slot", pSlot)},
                      [&](Library& library) -> Answer<> {
                        if (pSlot == nullptr || pReserved != nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        const auto id = library.wait_for_slot_event((flags & CKF_DONT_BLOCK) == 0);
                        if (!id) return tl::unexpected(id.error());
                        *pSlot = *id;
                        return {};
                      });
}

CK_RV C_GetMechanismList(CK_SLOT_ID slotID, CK_MECHANISM_TYPE* pMechanismList, CK_ULONG* pulCount) {
  return library_call("C_GetMechanismList",
                      {value("slot", slotID), buffer("list", pMechanismList), result("count", pulCount)},
                      [&](Library& library) -> Answer<> {
                        const auto slot = library.find_slot(slotID);
                        if (!slot) return tl::unexpected(slot.error());
                        if (pulCount == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        const auto list = mechanism_list(library.view(**slot)->keys);
                        const CK_ULONG room = *pulCount;
                        *pulCount = to_ulong(list.size());
                        if (pMechanismList == nullptr) return {};
                        if (room < list.size()) return refuse(CKR_BUFFER_TOO_SMALL);
                        std::ranges::copy(list, pMechanismList);
                        return {};
                      });
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slotID, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO* pInfo) {
  const CK_MECHANISM mechanism{type, nullptr, 0};
  return library_call("C_GetMechanismInfo", {value("slot", slotID), mechanism_argument(&mechanism)},
                      [&](Library& library) -> Answer<> {
                        const auto slot = library.find_slot(slotID);
                        if (!slot) return tl::unexpected(slot.error());
                        if (pInfo == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        const auto info = mechanism_info(type, library.view(**slot)->keys);
                        if (!info) return tl::unexpected(info.error());
                        *pInfo = *info;
                        return {};
                      });
}

CK_RV C_InitToken(CK_SLOT_ID slotID, CK_UTF8CHAR* pPin, CK_ULONG ulPinLen, CK_UTF8CHAR* pLabel) {
  return library_call("C_InitToken", {value("slot", slotID)}, [&](Library& library) -> Answer<> {
    const auto slot = library.find_slot(slotID);
    if (!slot) return tl::unexpected(slot.error());
    if (pLabel == nullptr || !input(pPin, ulPinLen)) return refuse(CKR_ARGUMENTS_BAD);
    return refuse(CKR_TOKEN_WRITE_PROTECTED);
  });
}

CK_RV C_InitPIN(CK_SESSION_HANDLE hSession, CK_UTF8CHAR* pPin, CK_ULONG ulPinLen) {
  return session_call("C_InitPIN", {value("session", hSession)}, hSession, [&](Library&, Session& session) -> Answer<> {
    if (!input(pPin, ulPinLen)) return refuse(CKR_ARGUMENTS_BAD);
    if (!session.read_write()) return refuse(CKR_SESSION_READ_ONLY);
    return refuse(CKR_USER_NOT_LOGGED_IN, "only the security officer may, and this token has none");
  });
}

CK_RV C_SetPIN(CK_SESSION_HANDLE hSession, CK_UTF8CHAR* pOldPin, CK_ULONG ulOldLen, CK_UTF8CHAR* pNewPin,
               CK_ULONG ulNewLen) {
  return session_call("C_SetPIN", {value("session", hSession)}, hSession, [&](Library&, Session& session) -> Answer<> {
    if (!input(pOldPin, ulOldLen) || !input(pNewPin, ulNewLen)) return refuse(CKR_ARGUMENTS_BAD);
    if (!session.read_write()) return refuse(CKR_SESSION_READ_ONLY);
    return refuse(CKR_TOKEN_WRITE_PROTECTED);
  });
}
