// The tables of entry points that hosts ask for.
#pragma once

#include <span>

#include "pkcs11/cryptoki.h"

namespace devtrust::pkcs11 {

/// PKCS#11 2.40.
CK_FUNCTION_LIST* function_list();
/// "PKCS 11" in version 3.0, which is the default, and in 2.40. Neither is CKF_INTERFACE_FORK_SAFE: a child has to call
/// C_Initialize.
std::span<CK_INTERFACE> interfaces();

/// C_GetInfo as the 3.0 list has it: it tells the list's version.
CK_RV get_info_3_0(CK_INFO* info);

}  // namespace devtrust::pkcs11
