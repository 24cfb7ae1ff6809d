#include "identity/openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include <array>
#include <atomic>

namespace devtrust {

// Both caches are filled by compare-and-swap: a lock could be held by another thread at the moment of a fork, and the
// child would wait for it for ever.

namespace {

/// Comes before all else that is asked of libcrypto. Where we are the first to use it, it is not to clear itself away
/// at the end of the process: other threads may be signing then, and they crashed. A host that was first decides
/// itself. A libcrypto of our own reads nobody's openssl.cnf either.
void settle_libcrypto() {
#ifdef DEVTRUST_BUNDLED_CRYPTO
  constexpr std::uint64_t kNoConfiguration = OPENSSL_INIT_NO_LOAD_CONFIG;
#else
  constexpr std::uint64_t kNoConfiguration = 0;
#endif
  static std::atomic<bool> settled{false};
  if (settled.load(std::memory_order_acquire)) return;
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | kNoConfiguration, nullptr);
  settled.store(true, std::memory_order_release);
}

}  // namespace

OSSL_LIB_CTX* libctx() {
  static std::atomic<OSSL_LIB_CTX*> shared{nullptr};
  OSSL_LIB_CTX* context = shared.load(std::memory_order_acquire);
  if (context != nullptr) return context;
  const ErrorQueueGuard guard;
  OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
  if (made == nullptr) return nullptr;
  if (OSSL_PROVIDER_load(made, "default") == nullptr) {
    OSSL_LIB_CTX_free(made);
    return nullptr;
  }
  if (shared.compare_exchange_strong(context, made, std::memory_order_acq_rel)) return made;
  OSSL_LIB_CTX_free(made);
  return context;
}

const EVP_MD* fetched_md(Digest digest) {
  static std::array<std::atomic<EVP_MD*>, 6> shared{};
  const char* name = digest_name(digest);
  if (name == nullptr) return nullptr;
  std::atomic<EVP_MD*>& slot = shared[static_cast<std::size_t>(digest)];
  EVP_MD* md = slot.load(std::memory_order_acquire);
  if (md != nullptr) return md;
  const ErrorQueueGuard guard;
  EVP_MD* made = libctx() != nullptr ? EVP_MD_fetch(libctx(), name, nullptr) : nullptr;  // null is the host's context
  if (made == nullptr || slot.compare_exchange_strong(md, made, std::memory_order_acq_rel)) return made;
  EVP_MD_free(made);
  return md;
}

void use_libcrypto_once() {
  const ErrorQueueGuard guard;
  const EVP_MD* md = fetched_md(Digest::kSha256);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (md != nullptr) EVP_Digest("", 0, digest.data(), nullptr, md, nullptr);
}

ErrorQueueGuard::ErrorQueueGuard() {
  settle_libcrypto();
  ERR_set_mark();
}
ErrorQueueGuard::~ErrorQueueGuard() { ERR_pop_to_mark(); }

std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason != nullptr ? reason : "unknown reason";
}

}  // namespace devtrust
