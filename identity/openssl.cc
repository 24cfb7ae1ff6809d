#include "identity/openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <array>
#include <atomic>
#include <memory>

#include "identity/fork.h"

namespace devtrust {

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

/// A library context has locks of its own, which another thread of the parent may hold at the moment of a fork. The
/// child makes a context of its own and leaves the parent's alone, or it would wait for them for ever. For the same
/// reason these are filled by compare-and-swap, not under a lock.
struct Corner {
  Corner(std::uint64_t number, Corner* parent) : fork(number), abandoned(parent) {}
  ~Corner() { OSSL_LIB_CTX_free(context); }
  Corner(const Corner&) = delete;
  Corner& operator=(const Corner&) = delete;

  const std::uint64_t fork;
  Corner* const abandoned;  // so that leak checkers see that it is not lost
  OSSL_LIB_CTX* const context = OSSL_LIB_CTX_new();
  OSSL_PROVIDER* const provider = context != nullptr ? OSSL_PROVIDER_load(context, "default") : nullptr;
  std::array<std::atomic<EVP_MD*>, 6> digests{};
};

/// Null when memory is short.
Corner* our_corner() {
  static std::atomic<Corner*> shared{nullptr};
  const std::uint64_t fork = fork_number();
  Corner* known = shared.load(std::memory_order_acquire);
  if (known != nullptr && known->fork == fork) return known;
  const LibcryptoUse use;
  auto made = std::make_unique<Corner>(fork, known);
  // Not CTR-DRBG: it would fetch a cipher, and the first one takes a tenth of the time to a first signature, since all
  // the provider's are then constructed. SHA-256 gives the same 256 bits of strength.
  if (made->provider == nullptr || RAND_set_DRBG_type(made->context, "HASH-DRBG", nullptr, nullptr, "SHA256") != 1) {
    return nullptr;
  }
  // Only threads of this process come here, so that what another one stored is ours as well.
  if (shared.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) return made.release();
  return known;
}

}  // namespace

OSSL_LIB_CTX* libctx() {
  const Corner* corner = our_corner();
  return corner != nullptr ? corner->context : nullptr;
}

const EVP_MD* fetched_md(Digest digest) {
  const char* name = digest_name(digest);
  Corner* corner = name != nullptr ? our_corner() : nullptr;
  if (corner == nullptr) return nullptr;  // to EVP_MD_fetch, a null context is the host's
  std::atomic<EVP_MD*>& slot = corner->digests[static_cast<std::size_t>(digest)];
  EVP_MD* md = slot.load(std::memory_order_acquire);
  if (md != nullptr) return md;
  const LibcryptoUse use;
  EVP_MD* made = EVP_MD_fetch(corner->context, name, nullptr);
  if (made == nullptr || slot.compare_exchange_strong(md, made, std::memory_order_acq_rel)) return made;
  EVP_MD_free(made);
  return md;
}

OSSL_PROVIDER* default_provider() {
  const Corner* corner = our_corner();
  return corner != nullptr ? corner->provider : nullptr;
}

void use_libcrypto_once() {
  const LibcryptoUse use;
  const EVP_MD* md = fetched_md(Digest::kSha256);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (md != nullptr) EVP_Digest("", 0, digest.data(), nullptr, md, nullptr);
}

LibcryptoUse::LibcryptoUse() {
  settle_libcrypto();
  ERR_set_mark();
}
LibcryptoUse::~LibcryptoUse() { ERR_pop_to_mark(); }

std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason != nullptr ? reason : "unknown reason";
}

}  // namespace devtrust
