#include "backends/wincert/encoding.h"

#include <gtest/gtest.h>

namespace devtrust {
namespace {

Bytes joined(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST(WindowsEncoding, KnowsAnRsaKeyInBothApisBlobs) {
  Bytes modulus(128, 0xC1);
  modulus.back() = 0x03;
  const auto key = PublicKey::rsa(modulus, Bytes{1, 0, 1});
  ASSERT_TRUE(key) << key.error().message;
  Bytes csp{0x06, 0x02, 0, 0, 0, 0xa4, 0, 0, 'R', 'S', 'A', '1', 0, 4, 0, 0, 1, 0, 1, 0};
  csp = joined(csp, reversed(modulus));
  EXPECT_TRUE(csp_blob_is(csp, *key));
  Bytes cng{'R', 'S', 'A', '1', 0, 4, 0, 0, 3, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1};
  cng = joined(cng, modulus);
  EXPECT_TRUE(cng_blob_is(cng, *key));

  for (Bytes* blob : {&csp, &cng}) {
    for (const std::size_t cut : {std::size_t{0}, std::size_t{7}, std::size_t{19}, blob->size() - 1}) {
      const ByteView part = ByteView(*blob).first(cut);
      EXPECT_FALSE(csp_blob_is(part, *key)) << cut;
      EXPECT_FALSE(cng_blob_is(part, *key)) << cut;
    }
    blob->back() ^= 1;
  }
  EXPECT_FALSE(csp_blob_is(csp, *key));
  EXPECT_FALSE(cng_blob_is(cng, *key));
}

TEST(WindowsEncoding, KnowsAnEcKeyWhateverItsBlobIsCalled) {
  // P-256's generator.
  const Bytes point{0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5,
                    0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
                    0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
                    0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
                    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
  const Bytes prime256v1{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
  const auto key = PublicKey::ec(prime256v1, point);
  ASSERT_TRUE(key) << key.error().message;
  Bytes blob = ecdh_public_blob(point);
  EXPECT_EQ(to_bytes(ByteView(blob).first(8)), (Bytes{'E', 'C', 'K', '1', 32, 0, 0, 0}));
  EXPECT_TRUE(cng_blob_is(blob, *key));
  blob[2] = 'S';
  EXPECT_TRUE(cng_blob_is(blob, *key));
  blob.back() ^= 1;
  EXPECT_FALSE(cng_blob_is(blob, *key));
  EXPECT_FALSE(csp_blob_is(blob, *key));
}

}  // namespace
}  // namespace devtrust
