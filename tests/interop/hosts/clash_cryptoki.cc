// A host that is a PKCS#11 module itself, as a proxy is: whoever calls these has the host's functions for ours.
#include <cstdlib>

#include "pkcs11/cryptoki.h"

#pragma GCC visibility push(default)
CK_RV C_Initialize(void* /*arguments*/) { std::abort(); }
CK_RV C_GetSlotList(CK_BBOOL /*present*/, CK_SLOT_ID* /*list*/, CK_ULONG* /*count*/) { std::abort(); }
CK_RV C_SignInit(CK_SESSION_HANDLE /*session*/, CK_MECHANISM* /*mechanism*/, CK_OBJECT_HANDLE /*key*/) { std::abort(); }
#pragma GCC visibility pop
