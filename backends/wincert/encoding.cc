#include "backends/wincert/encoding.h"

#include <optional>

namespace devtrust {
namespace {

// Magic numbers of the headers, as their four bytes stand in memory.
constexpr std::uint32_t kCspRsaPublic = 0x31415352;  // "RSA1"
constexpr std::uint32_t kCngRsaPublic = 0x31415352;

/// Little-endian numbers and stretches of bytes, one after the other.
class BlobReader {
 public:
  explicit BlobReader(ByteView blob) : rest_(blob) {}
  std::optional<std::uint32_t> number() {
    const auto bytes = take(4);
    if (!bytes) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8U | (*bytes)[i];
    return value;
  }
  std::optional<ByteView> take(std::size_t length) {
    if (rest_.size() < length) return std::nullopt;
    const ByteView taken = rest_.first(length);
    rest_ = rest_.subspan(length);
    return taken;
  }
  ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
};

ByteView without_zeros(ByteView number) {
  while (!number.empty() && number.front() == 0) number = number.subspan(1);
  return number;
}

}  // namespace

Bytes reversed(ByteView bytes) { return {bytes.rbegin(), bytes.rend()}; }

bool csp_blob_is(ByteView blob, const PublicKey& key) {
  if (key.type() != KeyType::kRsa) return false;
  BlobReader reader(blob);
  if (!reader.take(8)) return false;  // BLOBHEADER
  const auto magic = reader.number();
  const auto bits = reader.number();
  const auto exponent = reader.take(4);
  if (magic != kCspRsaPublic || !bits || !exponent) return false;
  return equal(without_zeros(reversed(*exponent)), key.exponent()) &&
         equal(without_zeros(reversed(reader.rest())), key.modulus());
}

bool cng_blob_is(ByteView blob, const PublicKey& key) {
  BlobReader reader(blob);
  const auto magic = reader.number();
  const auto length = reader.number();  // RSA: bits; EC: bytes of a coordinate
  if (!magic || !length) return false;
  if (key.type() == KeyType::kRsa) {
    const auto exponent_size = reader.number();
    const auto modulus_size = reader.number();
    if (magic != kCngRsaPublic || !exponent_size || !modulus_size || !reader.take(8)) return false;
    const auto exponent = reader.take(*exponent_size);
    const auto modulus = reader.take(*modulus_size);
    return exponent && modulus && equal(without_zeros(*exponent), key.exponent()) &&
           equal(without_zeros(*modulus), key.modulus());
  }
  // Whatever the magic number calls the curve: no two of one coordinate's size share a point.
  const ByteView point = key.ec_point();
  return key.type() == KeyType::kEc && *length == key.field_size() && !point.empty() &&
         equal(reader.rest(), point.subspan(1));
}

Bytes ecdh_public_blob(ByteView point) {
  const auto size = static_cast<std::uint8_t>((point.size() - 1) / 2);
  const std::uint8_t curve = size == 32 ? '1' : size == 48 ? '3' : '5';
  Bytes blob{'E', 'C', 'K', curve, size, 0, 0, 0};
  blob.insert(blob.end(), point.begin() + 1, point.end());
  return blob;
}

}  // namespace devtrust
