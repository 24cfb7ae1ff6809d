// Our own corner of libcrypto: a library context that shares nothing with the host's, and owners for its objects.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/types.h>

#include <memory>
#include <string>

#include "identity/fork.h"
#include "identity/scheme.h"

namespace devtrust {

/// The one OSSL_LIB_CTX that everything here uses: the default provider, loaded by name, and no openssl.cnf. Made on
/// first use, never freed (another thread may be inside when the host finalizes us). Null when memory is short.
/// Thread-safe. A forked child gets another one: what was made before the fork is not to be used in it.
OSSL_LIB_CTX* libctx();

/// The only provider in libctx(). Null when memory is short. Thread-safe.
OSSL_PROVIDER* default_provider();

/// Gives libcrypto its first work. The system's libcrypto then reads the process's openssl.cnf if nobody had it do that
/// before: it looks for engines at the first digest and at the first key, whatever the library context. Our context
/// takes nothing from it, but a provider or engine that stands there may call this very library back. So: call this
/// first, and where no lock is held. (A bundled libcrypto never reads a configuration.)
void use_libcrypto_once();

/// Fetched once in libctx() and kept; null for kNone or when the fetch fails. Thread-safe.
const EVP_MD* fetched_md(Digest digest);

/// To be held by whoever calls libcrypto. The error queue belongs to the host: whatever is left on it inside this scope
/// is taken off at its end. And libcrypto has global locks: each random number of 3.0, and so each ECDSA signature,
/// takes one (rand_meth_lock), whatever the library context.
class LibcryptoUse {
 public:
  LibcryptoUse();
  ~LibcryptoUse();
  LibcryptoUse(const LibcryptoUse&) = delete;
  LibcryptoUse& operator=(const LibcryptoUse&) = delete;

 private:
  const ForkHold fork_hold_;
};

/// Key types for EVP_PKEY_CTX_new_from_name. Not by name: a host's default engine (libp11's, say) takes part in
/// whatever it finds under "RSA" or "EC", in our library context too, and then refuses to make a key from numbers.
inline constexpr const char* kRsaKeyType = "1.2.840.113549.1.1.1";
inline constexpr const char* kEcKeyType = "1.2.840.10045.2.1";

/// The newest reason on this thread's error queue, for the end of a message; "unknown reason" where there is none.
std::string openssl_reason();

template <auto Free>
struct OpensslDeleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, OpensslDeleter<BIO_free_all>>;
using BignumPtr = std::unique_ptr<BIGNUM, OpensslDeleter<BN_clear_free>>;
using BnCtxPtr = std::unique_ptr<BN_CTX, OpensslDeleter<BN_CTX_free>>;
using EvpPkeyPtr = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;
using EvpPkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, OpensslDeleter<EVP_PKEY_CTX_free>>;
using EvpMdPtr = std::unique_ptr<EVP_MD, OpensslDeleter<EVP_MD_free>>;
using EvpMdCtxPtr = std::unique_ptr<EVP_MD_CTX, OpensslDeleter<EVP_MD_CTX_free>>;

}  // namespace devtrust
