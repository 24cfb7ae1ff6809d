// A host with a libcrypto of its own whose names it exports, as Node does.
#include <stdio.h>
#include <stdlib.h>

#define CLASH(name)                                       \
  __attribute__((visibility("default"))) void name(void); \
  void name(void) {                                       \
    fputs("the host's " #name " was called\n", stderr);   \
    abort();                                              \
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
