#include "identity/openssl.h"

#include <openssl/err.h>
#include <openssl/provider.h>

#include <array>
#include <atomic>

namespace devtrust {

// Both caches are filled by compare-and-swap: a lock could be held by another thread at the moment of a fork, and the
// child would wait for it for ever.

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

ErrorQueueGuard::ErrorQueueGuard() { ERR_set_mark(); }
ErrorQueueGuard::~ErrorQueueGuard() { ERR_pop_to_mark(); }

std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason != nullptr ? reason : "unknown reason";
}

}  // namespace devtrust
