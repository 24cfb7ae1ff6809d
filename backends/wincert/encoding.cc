#include "backends/wincert/encoding.h"

#include <algorithm>
#include <iterator>

#include "identity/der.h"

namespace devtrust {
namespace {

struct DigestOid {
  Digest digest;
  bool md5;
  std::string_view oid;  // an OBJECT IDENTIFIER's content
  std::size_t size;
};
constexpr DigestOid kDigestOids[] = {{Digest::kSha1, false, "\x2B\x0E\x03\x02\x1A", 20},
                                     {Digest::kSha224, false, "\x60\x86\x48\x01\x65\x03\x04\x02\x04", 28},
                                     {Digest::kSha256, false, "\x60\x86\x48\x01\x65\x03\x04\x02\x01", 32},
                                     {Digest::kSha384, false, "\x60\x86\x48\x01\x65\x03\x04\x02\x02", 48},
                                     {Digest::kSha512, false, "\x60\x86\x48\x01\x65\x03\x04\x02\x03", 64},
                                     {Digest::kNone, true, "\x2A\x86\x48\x86\xF7\x0D\x02\x05", 16}};

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

std::optional<DigestInfo> parse_digest_info(ByteView der) {
  const auto whole = der_single(der, der::kSequence);
  if (!whole) return std::nullopt;
  DerReader parts(whole->content);
  const auto algorithm = parts.next(der::kSequence);
  const auto value = parts.next(der::kOctetString);
  if (!algorithm || !value || !parts.empty()) return std::nullopt;
  DerReader inner(algorithm->content);
  const auto oid = inner.next(der::kOid);
  const auto null = inner.next(der::kNull);
  // Without the NULL it would be signed with one: another signature than was asked for.
  if (!oid || !null || !null->content.empty() || !inner.empty()) return std::nullopt;
  const auto* const known =
      std::ranges::find_if(kDigestOids, [&](const DigestOid& row) { return as_text(oid->content) == row.oid; });
  if (known == std::end(kDigestOids) || value->content.size() != known->size) return std::nullopt;
  return DigestInfo{known->digest, known->md5, value->content};
}

Bytes digest_info(Digest digest, ByteView value) {
  const auto* const known = std::ranges::find(kDigestOids, digest, &DigestOid::digest);
  Bytes algorithm = der_encode(der::kOid, as_bytes(known->oid));
  const Bytes null = der_encode(der::kNull, {});
  algorithm.insert(algorithm.end(), null.begin(), null.end());
  Bytes content = der_encode(der::kSequence, algorithm);
  const Bytes octets = der_encode(der::kOctetString, value);
  content.insert(content.end(), octets.begin(), octets.end());
  return der_encode(der::kSequence, content);
}

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
