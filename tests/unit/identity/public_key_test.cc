#include "identity/public_key.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>

#include "tests/unit/identity/keys.h"

namespace devtrust {
namespace {

using testing::make_key;

Bytes spki_of(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  Bytes bytes(der, der + length);
  OPENSSL_free(der);
  return bytes;
}

class PublicKeyOfType : public ::testing::TestWithParam<const char*> {};

TEST_P(PublicKeyOfType, IsTheSameBySpkiAndByItsParts) {
  const EvpPkeyPtr evp = make_key(GetParam());
  const Bytes spki = spki_of(evp.get());
  const auto key = PublicKey::from_spki(spki);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(to_bytes(key->spki()), spki);
  EXPECT_EQ(EVP_PKEY_eq(key->evp(), evp.get()), 1);
  EXPECT_EQ(*PublicKey::from_evp(evp.get()), *key);
  const auto parts = key->type() == KeyType::kRsa ? PublicKey::rsa(key->modulus(), key->exponent())
                                                  : PublicKey::ec(key->ec_params(), key->ec_point());
  ASSERT_TRUE(parts) << parts.error().message;
  EXPECT_EQ(*parts, *key);
  EXPECT_EQ(parts->id(), key->id());
  // libcrypto's own ideas of size
  EXPECT_EQ(key->max_signature_size(), static_cast<std::size_t>(EVP_PKEY_get_size(evp.get())));
  if (key->type() == KeyType::kRsa || key->type() == KeyType::kEc) {
    EXPECT_EQ(key->bits(), EVP_PKEY_get_bits(evp.get()));
  }
}

TEST_P(PublicKeyOfType, DiffersFromAnother) {
  const auto a = PublicKey::from_evp(make_key(GetParam()).get());
  const auto b = PublicKey::from_evp(make_key(GetParam()).get());
  EXPECT_FALSE(*a == *b);
  EXPECT_NE(a->id(), b->id());
}

INSTANTIATE_TEST_SUITE_P(Types, PublicKeyOfType,
                         ::testing::Values("rsa:1024", "rsa:2048", "rsa:3072", "ec:P-256", "ec:P-384", "ec:P-521",
                                           "ed25519", "ed448"));

TEST(PublicKey, TakesPointsInAnOctetString) {
  const auto key = PublicKey::from_evp(make_key("ec:P-256").get());
  Bytes wrapped{0x04, 0x41};
  wrapped.insert(wrapped.end(), key->ec_point().begin(), key->ec_point().end());
  EXPECT_EQ(*PublicKey::ec(key->ec_params(), wrapped), *key);
}

TEST(PublicKey, TakesEdwardsCurvesByName) {
  const auto key = PublicKey::from_evp(make_key("ed25519").get());
  Bytes name{0x13, 0x0C};
  for (const char c : std::string("edwards25519")) name.push_back(static_cast<std::uint8_t>(c));
  EXPECT_EQ(*PublicKey::ec(name, key->ec_point()), *key);
}

TEST(PublicKey, RefusesImpossibleNumbers) {
  const Bytes e{1, 0, 1};
  Bytes n(256, 0xC3);
  EXPECT_TRUE(PublicKey::rsa(n, e));
  EXPECT_EQ(PublicKey::rsa(Bytes(64, 0xC3), e).error().code, ErrorCode::kUnsupported);    // 512 bits
  EXPECT_EQ(PublicKey::rsa(Bytes(2049, 0xC3), e).error().code, ErrorCode::kUnsupported);  // 16,392 bits
  EXPECT_EQ(PublicKey::rsa({}, e).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(PublicKey::rsa(n, {}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(PublicKey::rsa(n, Bytes{1}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(PublicKey::rsa(n, Bytes{4}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(PublicKey::rsa(n, Bytes(9, 0xFF)).error().code, ErrorCode::kCorrupt);
  n.back() = 0xC2;
  EXPECT_EQ(PublicKey::rsa(n, e).error().code, ErrorCode::kCorrupt);
}

TEST(PublicKey, RefusesOtherCurvesAndPoints) {
  const auto key = PublicKey::from_evp(make_key("ec:P-256").get());
  const Bytes secp256k1{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A};
  EXPECT_EQ(PublicKey::ec(secp256k1, key->ec_point()).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(PublicKey::ec(key->ec_params(), key->ec_point().first(64)).error().code, ErrorCode::kCorrupt);
  Bytes compressed = to_bytes(key->ec_point());
  compressed[0] = 0x02;
  EXPECT_EQ(PublicKey::ec(key->ec_params(), compressed).error().code, ErrorCode::kCorrupt);
  Bytes off_curve = to_bytes(key->ec_point());
  off_curve.back() ^= 1U;
  const auto stray = PublicKey::ec(key->ec_params(), off_curve);
  ASSERT_TRUE(stray);
  EXPECT_EQ(stray->evp(), nullptr);  // found when it is used
  EXPECT_EQ(stray->verify({SignAlgorithm::kEcdsa}, Bytes(32), Bytes(70)).error().code, ErrorCode::kCorrupt);
}

TEST(PublicKey, RefusesWhatIsNoSpki) {
  const Bytes good = spki_of(make_key("ec:P-256").get());
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(PublicKey::from_spki(ByteView(good).first(cut)));
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(PublicKey::from_spki(longer));
  EXPECT_EQ(
      PublicKey::from_spki(spki_of(EvpPkeyPtr(EVP_PKEY_Q_keygen(libctx(), nullptr, "X25519")).get())).error().code,
      ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace devtrust
