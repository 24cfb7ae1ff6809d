// PKCS#11 3.0 §5.19 "Random number generation functions".
#include <openssl/rand.h>

#include "identity/openssl.h"
#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

CK_RV C_SeedRandom(CK_SESSION_HANDLE hSession, CK_BYTE* pSeed, CK_ULONG ulSeedLen) {
  return session_call("C_SeedRandom", {value("session", hSession), value("seed_len", ulSeedLen)}, hSession,
                      [&](Library&, Session&) -> Answer<> {
                        if (!input(pSeed, ulSeedLen)) return refuse(CKR_ARGUMENTS_BAD);
                        return refuse(CKR_RANDOM_SEED_NOT_SUPPORTED);
                      });
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE hSession, CK_BYTE* pRandomData, CK_ULONG ulRandomLen) {
  return session_call("C_GenerateRandom", {value("session", hSession), value("length", ulRandomLen)}, hSession,
                      [&](Library&, Session&) -> Answer<> {
                        if (!input(pRandomData, ulRandomLen)) return refuse(CKR_ARGUMENTS_BAD);
                        if (ulRandomLen == 0) return {};
                        const devtrust::LibcryptoUse use;
                        if (RAND_bytes_ex(devtrust::libctx(), pRandomData, ulRandomLen, 0) != 1) {
                          return refuse(CKR_FUNCTION_FAILED, devtrust::openssl_reason());
                        }
                        return {};
                      });
}
