// PKCS#11 types: p11-kit's 2.40 header, and the 3.0 types where it lacks them.
#pragma once

#ifdef _WIN32
#pragma pack(push, cryptoki, 1)
#else
// The functions that it declares are what the module exports; everything else is hidden.
#pragma GCC visibility push(default)
#endif
#include <p11-kit/pkcs11.h>

#include "pkcs11/cryptoki3.h"
#ifdef _WIN32
#pragma pack(pop, cryptoki)
#else
#pragma GCC visibility pop
#endif

#include <cstddef>

namespace devtrust::pkcs11 {

/// A CK_ULONG has 32 bits on Windows: what is counted and measured here fits.
constexpr CK_ULONG to_ulong(std::size_t number) { return static_cast<CK_ULONG>(number); }

}  // namespace devtrust::pkcs11
