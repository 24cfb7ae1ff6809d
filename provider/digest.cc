#include "provider/digest.h"

#include <openssl/evp.h>

#include <array>

#include "identity/openssl.h"

namespace devtrust::provider {
namespace {

struct Row {
  Digest digest;
  std::array<const char*, 3> names;
};

constexpr std::array<Row, 5> kRows{{{Digest::kSha256, {"SHA2-256", "SHA256", "SHA-256"}},
                                    {Digest::kSha384, {"SHA2-384", "SHA384", "SHA-384"}},
                                    {Digest::kSha512, {"SHA2-512", "SHA512", "SHA-512"}},
                                    {Digest::kSha1, {"SHA1", "SHA-1", "SSL3-SHA1"}},
                                    {Digest::kSha224, {"SHA2-224", "SHA224", "SHA-224"}}}};

}  // namespace

MdPtr find_md(const char* name) {
  for (const Row& row : kRows) {
    for (const char* known : row.names) {
      // Kept for the process: the usual ones are not fetched again for each signature.
      if (OPENSSL_strcasecmp(name, known) == 0) return {MdPtr(), fetched_md(row.digest)};
    }
  }
  if (libctx() == nullptr) return nullptr;
  const LibcryptoUse use;
  EVP_MD* md = EVP_MD_fetch(libctx(), name, nullptr);
  return md != nullptr ? MdPtr(md, EVP_MD_free) : nullptr;
}

Digest digest_of(const EVP_MD& md) {
  for (const Row& row : kRows) {
    if (EVP_MD_is_a(&md, digest_name(row.digest)) == 1) return row.digest;
  }
  return Digest::kNone;
}

}  // namespace devtrust::provider
