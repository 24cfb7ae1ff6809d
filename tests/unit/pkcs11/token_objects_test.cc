#include "pkcs11/token_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "identity/der.h"
#include "tests/unit/pkcs11/fake_store.h"

namespace devtrust::pkcs11 {
namespace {

using testing::attribute_of;
using ::testing::ElementsAre;
using testing::number_of;
using testing::text_of;

class TokenObjectsTest : public testing::StoreTest {
 protected:
  /// Objects in the order in which they are made.
  std::vector<Object> objects(const testing::Enrolled& enrolled, std::shared_ptr<Login> login = nullptr,
                              bool current = true, bool trusted = false) {
    Identity identity;
    identity.profile = profile_.name;
    identity.leaf = enrolled.leaf;
    identity.key = enrolled.key;
    const std::vector<CertificatePtr> issuers{testing::load_certificate(shared_pki()->intermediate()),
                                              testing::load_certificate(shared_pki()->root())};
    identity.chain = build_chain(*enrolled.leaf, issuers, testing::now_seconds());
    identity.login = std::move(login);
    std::vector<Object> list;
    for (auto& description :
         identity_objects(std::make_shared<const Identity>(identity), profile_, current, true, trusted)) {
      list.emplace_back(list.size() + 1, std::move(description.attributes), std::move(description.identity),
                        std::move(description.key));
    }
    return list;
  }

  static std::string sha1(ByteView data) {
    Bytes digest(20);
    EVP_Q_digest(libctx(), "SHA1", nullptr, data.data(), data.size(), digest.data(), nullptr);
    return to_hex(digest);
  }

  const Profile profile_ = built_in_profiles().front();
};

TEST_F(TokenObjectsTest, AreKeyPairLeafAndChain) {
  const auto list = objects(enrol());
  std::vector<CK_OBJECT_CLASS> classes;
  for (const Object& object : list) classes.push_back(object.object_class());
  EXPECT_THAT(classes, ElementsAre(CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE, CKO_CERTIFICATE, CKO_CERTIFICATE));
  const auto id = attribute_of(list[0], CKA_ID);
  ASSERT_TRUE(id);
  EXPECT_EQ(attribute_of(list[1], CKA_ID), id);
  EXPECT_EQ(attribute_of(list[2], CKA_ID), id);
  EXPECT_NE(attribute_of(list[3], CKA_ID), id);
  EXPECT_NE(attribute_of(list[4], CKA_ID), attribute_of(list[3], CKA_ID));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(text_of(list[i], CKA_LABEL), profile_.label);
  EXPECT_EQ(text_of(list[3], CKA_LABEL), "device-trust.intermediate");
}

TEST_F(TokenObjectsTest, AllHaveWhatEveryObjectHas) {
  std::vector<std::string> unique_ids;
  for (const Object& object : objects(enrol())) {
    EXPECT_TRUE(object.is(CKA_TOKEN));
    for (const CK_ATTRIBUTE_TYPE type : {CKA_PRIVATE, CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE}) {
      EXPECT_EQ(attribute_of(object, type), Bytes{0}) << type;
    }
    unique_ids.push_back(text_of(object, CKA_UNIQUE_ID).value_or(""));
  }
  std::ranges::sort(unique_ids);
  EXPECT_EQ(std::ranges::adjacent_find(unique_ids), unique_ids.end());
}

TEST_F(TokenObjectsTest, PrivateKeyShowsNoSecret) {
  for (const char* type : {"rsa:2048", "ec:P-384", "ed25519"}) {
    const auto list = objects(enrol(type));
    const Object& key = list[0];
    for (const CK_ATTRIBUTE_TYPE secret :
         {CKA_VALUE, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT}) {
      EXPECT_EQ(attribute_of(key, secret), std::nullopt);
    }
    CK_ATTRIBUTE hidden{std::string_view(type).starts_with("rsa") ? CKA_PRIME_1 : CKA_VALUE, nullptr, 0};
    EXPECT_EQ(key.read(hidden), CKR_ATTRIBUTE_SENSITIVE);
    EXPECT_TRUE(key.is(CKA_SENSITIVE));
    EXPECT_TRUE(key.is(CKA_SIGN));
    for (const CK_ATTRIBUTE_TYPE no : {CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL,
                                       CKA_UNWRAP, CKA_ALWAYS_AUTHENTICATE, CKA_WRAP_WITH_TRUSTED}) {
      EXPECT_EQ(attribute_of(key, no), Bytes{0}) << no;
    }
    EXPECT_EQ(number_of(key, CKA_KEY_GEN_MECHANISM), CK_UNAVAILABLE_INFORMATION);
    EXPECT_EQ(attribute_of(key, CKA_PUBLIC_KEY_INFO), attribute_of(list[2], CKA_PUBLIC_KEY_INFO));
  }
}

TEST_F(TokenObjectsTest, RsaKeysShowTheirNumbers) {
  const auto enrolled = enrol("rsa:2048");
  const auto list = objects(enrolled);
  for (const Object* key : {list.data(), &list[1]}) {
    EXPECT_EQ(number_of(*key, CKA_KEY_TYPE), CKK_RSA);
    EXPECT_EQ(attribute_of(*key, CKA_MODULUS), to_bytes(enrolled.key->public_key().modulus()));
    EXPECT_EQ(attribute_of(*key, CKA_PUBLIC_EXPONENT), (Bytes{1, 0, 1}));
    EXPECT_EQ(attribute_of(*key, CKA_EC_POINT), std::nullopt);
  }
  EXPECT_EQ(number_of(list[1], CKA_MODULUS_BITS), 2048U);
  EXPECT_TRUE(list[0].is(CKA_DECRYPT));
  EXPECT_TRUE(list[0].is(CKA_SIGN_RECOVER));
  EXPECT_FALSE(list[0].is(CKA_DERIVE));
  EXPECT_TRUE(list[1].is(CKA_ENCRYPT));
  EXPECT_TRUE(list[1].is(CKA_VERIFY_RECOVER));
}

TEST_F(TokenObjectsTest, EcKeysShowTheirPoint) {
  const auto enrolled = enrol("ec:P-256");
  const auto list = objects(enrolled);
  const PublicKey& key = enrolled.key->public_key();
  for (const Object* object : {list.data(), &list[1]}) {
    EXPECT_EQ(number_of(*object, CKA_KEY_TYPE), CKK_EC);
    EXPECT_EQ(attribute_of(*object, CKA_EC_PARAMS), to_bytes(key.ec_params()));
    const auto point = attribute_of(*object, CKA_EC_POINT);
    ASSERT_TRUE(point);
    EXPECT_EQ(to_hex(ByteView(*point).first(3)), "044104");  // OCTET STRING of 65 bytes, uncompressed
    EXPECT_TRUE(equal(ByteView(*point).subspan(2), key.ec_point()));
    EXPECT_EQ(attribute_of(*object, CKA_MODULUS), std::nullopt);
  }
  EXPECT_TRUE(list[0].is(CKA_DERIVE));
  EXPECT_FALSE(list[0].is(CKA_DECRYPT));
  EXPECT_FALSE(list[1].is(CKA_ENCRYPT));
  EXPECT_EQ(number_of(objects(enrol("ed25519"))[1], CKA_KEY_TYPE), CKK_EC_EDWARDS);
}

TEST_F(TokenObjectsTest, CertificatesAreDescribedAsTheyAre) {
  const auto enrolled = enrol();
  const auto list = objects(enrolled);
  const Object& leaf = list[2];
  const Certificate& certificate = *enrolled.leaf;
  EXPECT_EQ(attribute_of(leaf, CKA_VALUE), to_bytes(certificate.der()));
  EXPECT_EQ(attribute_of(leaf, CKA_SUBJECT), to_bytes(certificate.subject()));
  EXPECT_EQ(attribute_of(leaf, CKA_ISSUER), to_bytes(certificate.issuer()));
  EXPECT_EQ(attribute_of(leaf, CKA_SERIAL_NUMBER), to_bytes(certificate.serial()));
  EXPECT_EQ(number_of(leaf, CKA_CERTIFICATE_TYPE), CKC_X_509);
  EXPECT_EQ(number_of(leaf, CKA_CERTIFICATE_CATEGORY), CK_CERTIFICATE_CATEGORY_TOKEN_USER);
  EXPECT_EQ(number_of(list[3], CKA_CERTIFICATE_CATEGORY), CK_CERTIFICATE_CATEGORY_AUTHORITY);
  EXPECT_EQ(text_of(leaf, CKA_URL), "");
  EXPECT_EQ(to_hex(attribute_of(leaf, CKA_CHECK_VALUE).value()), sha1(certificate.der()).substr(0, 6));
  EXPECT_EQ(number_of(leaf, CKA_NAME_HASH_ALGORITHM), CKM_SHA_1);
  // of an EC key the BIT STRING's content is the point
  EXPECT_EQ(to_hex(attribute_of(leaf, CKA_HASH_OF_SUBJECT_PUBLIC_KEY).value()),
            sha1(certificate.public_key().ec_point()));
  EXPECT_EQ(attribute_of(leaf, CKA_HASH_OF_ISSUER_PUBLIC_KEY), attribute_of(list[3], CKA_HASH_OF_SUBJECT_PUBLIC_KEY));
  EXPECT_EQ(attribute_of(list[4], CKA_HASH_OF_ISSUER_PUBLIC_KEY),
            attribute_of(list[4], CKA_HASH_OF_SUBJECT_PUBLIC_KEY));
}

TEST_F(TokenObjectsTest, DatesAreThoseThatOpensslPrints) {
  const testing::Leaf made = shared_pki()->issue();
  const testing::Enrolled enrolled{
      testing::load_certificate(made.certificate),
      *SoftwareKey::from_evp(testing::load_key(made.key), testing::load_certificate(made.certificate)->public_key(),
                             {})};
  const auto list = objects(enrolled);
  std::string dates = testing::must_print(
      {"openssl", "x509", "-in", made.certificate.string(), "-noout", "-dates", "-dateopt", "iso_8601"});
  std::erase(dates, '-');  // notBefore=YYYYMMDD …
  EXPECT_EQ(text_of(list[2], CKA_START_DATE), dates.substr(dates.find('=') + 1, 8));
  EXPECT_EQ(text_of(list[2], CKA_END_DATE), dates.substr(dates.rfind('=') + 1, 8));
  EXPECT_EQ(text_of(list[0], CKA_START_DATE), "");
}

TEST_F(TokenObjectsTest, ChainIsTrustedOnlyWhereItWasAskedFor) {
  for (const Object& object : objects(enrol())) EXPECT_FALSE(object.is(CKA_TRUSTED));
  const auto list = objects(enrol(), nullptr, true, true);
  EXPECT_FALSE(list[2].is(CKA_TRUSTED));
  EXPECT_TRUE(list[3].is(CKA_TRUSTED));
  EXPECT_TRUE(list[4].is(CKA_TRUSTED));
}

TEST_F(TokenObjectsTest, IssuerIsFoundByTheLeafsAuthorityKeyId) {
  const auto enrolled = enrol();
  ASSERT_TRUE(enrolled.leaf->authority_key_id());
  EXPECT_EQ(attribute_of(objects(enrolled)[3], CKA_ID), enrolled.leaf->authority_key_id());
}

TEST_F(TokenObjectsTest, PrivateOnlyBehindAPassword) {
  const auto list = objects(enrol(), std::make_shared<testing::FakeLogin>("x"));
  EXPECT_TRUE(list[0].is_private());
  EXPECT_FALSE(list[1].is_private());
  EXPECT_FALSE(list[2].is_private());
}

TEST_F(TokenObjectsTest, OlderIdentitiesCarryTheirSerialNumber) {
  const auto enrolled = enrol();
  const auto list = objects(enrolled, nullptr, false);
  const auto serial = der_single(enrolled.leaf->serial(), der::kInteger);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(text_of(list[i], CKA_LABEL), profile_.label + ' ' + to_hex(serial->content));
  }
}

TEST_F(TokenObjectsTest, ProfileObjectSaysThatCertificatesArePublic) {
  auto description = profile_object("jumpcloud");
  const Object object(1, std::move(description.attributes));
  EXPECT_EQ(object.object_class(), CKO_PROFILE);
  EXPECT_EQ(number_of(object, CKA_PROFILE_ID), CKP_PUBLIC_CERTIFICATES_TOKEN);
}

}  // namespace
}  // namespace devtrust::pkcs11
