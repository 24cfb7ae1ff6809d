// A host with a libcrypto of its own whose names it exports, as Node does.
#include <cstdio>
#include <cstdlib>

#define CLASH(name)                                               \
  extern "C" __attribute__((visibility("default"))) void name() { \
    std::fputs("the host's " #name " was called\n", stderr);      \
    std::abort();                                                 \
  }

CLASH(OPENSSL_init_crypto)
CLASH(OSSL_LIB_CTX_new)
CLASH(OSSL_PROVIDER_load)
CLASH(ERR_set_mark)
CLASH(EVP_MD_fetch)
CLASH(EVP_DigestInit_ex)
CLASH(EVP_DigestInit_ex2)
CLASH(EVP_DigestUpdate)
CLASH(EVP_PKEY_fromdata)
CLASH(EVP_PKEY_sign)
CLASH(EVP_PKEY_sign_init)
CLASH(EVP_PKEY_verify)
CLASH(X509_new_ex)
CLASH(d2i_X509)
CLASH(RAND_bytes_ex)
CLASH(BN_bin2bn)
