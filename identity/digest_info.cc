#include "identity/digest_info.h"

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

}  // namespace

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

}  // namespace devtrust
