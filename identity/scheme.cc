#include "identity/scheme.h"

#include <array>

namespace devtrust {
namespace {

struct DigestRow {
  const char* name;
  std::size_t size;
};
constexpr std::array<DigestRow, 6> kDigests{
    {{nullptr, 0}, {"SHA1", 20}, {"SHA2-224", 28}, {"SHA2-256", 32}, {"SHA2-384", 48}, {"SHA2-512", 64}}};

}  // namespace

const char* digest_name(Digest digest) { return kDigests.at(static_cast<std::size_t>(digest)).name; }
std::size_t digest_size(Digest digest) { return kDigests.at(static_cast<std::size_t>(digest)).size; }

}  // namespace devtrust
