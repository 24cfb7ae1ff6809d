#include "identity/digest_info.h"

#include <gtest/gtest.h>

namespace devtrust {
namespace {

// RFC 8017, 9.2, note 1: DigestInfo of SHA-256 before the digest itself.
const Bytes kSha256Prefix{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                          0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

Bytes joined(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST(DigestInfo, IsReadAsItIsWritten) {
  const Bytes value(32, 0xA5);
  EXPECT_EQ(digest_info(Digest::kSha256, value), joined(kSha256Prefix, value));
  for (const Digest digest : {Digest::kSha1, Digest::kSha224, Digest::kSha256, Digest::kSha384, Digest::kSha512}) {
    const Bytes hash(digest_size(digest), 0x5A);
    const Bytes der = digest_info(digest, hash);
    const auto info = parse_digest_info(der);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->digest, digest);
    EXPECT_FALSE(info->md5);
    EXPECT_EQ(to_bytes(info->value), hash);
  }
}

TEST(DigestInfo, OfMd5IsRead) {
  const Bytes der = joined(
      {0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10},
      Bytes(16, 1));
  const auto info = parse_digest_info(der);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->md5);
}

TEST(DigestInfo, NothingElseIsTakenForIt) {
  EXPECT_FALSE(parse_digest_info({}));
  EXPECT_FALSE(parse_digest_info(Bytes(36, 0x30)));
  EXPECT_FALSE(parse_digest_info(joined(kSha256Prefix, Bytes(31, 0))));  // cut off
  EXPECT_FALSE(parse_digest_info(joined(kSha256Prefix, Bytes(33, 0))));  // and more
  Bytes other_oid = joined(kSha256Prefix, Bytes(32, 0));
  other_oid[14] = 0x05;
  EXPECT_FALSE(parse_digest_info(other_oid));
  // Without the NULL, which a provider would put in.
  Bytes bare =
      joined({0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20},
             Bytes(32, 0));
  EXPECT_FALSE(parse_digest_info(bare));
}

}  // namespace
}  // namespace devtrust
