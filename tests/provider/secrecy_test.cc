// What is public is given in every form; what is private in none, with a reason.
#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <functional>

#include "tests/provider/fixture.h"

namespace devtrust::testing {
namespace {

using ::testing::HasSubstr;

class Secrecy : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }

  FileStore& store_ = file_store(GetParam());
  Host host_{store_.config()};
  EvpPkeyPtr ours_ = host_.key();
  EvpPkeyPtr theirs_ = host_.file_key(store_.leaf().key);
  EvpPkeyPtr public_ = host_.public_key(store_.leaf().certificate);
};

INSTANTIATE_TEST_SUITE_P(Keys, Secrecy, ::testing::ValuesIn(key_kinds()), kind_name_of);

std::string contents(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(length)};
}

TEST_P(Secrecy, PrivatePartIsNotGiven) {
  EVP_PKEY* key = ours_.get();
  const auto memory = [] { return BioPtr(BIO_new(BIO_s_mem())); };
  const BioPtr out = memory();
  const std::vector<std::pair<const char*, std::function<bool()>>> ways{
      {"EVP_PKEY_get_raw_private_key",
       [&] {
         Bytes bytes(512);
         std::size_t length = bytes.size();
         return EVP_PKEY_get_raw_private_key(key, bytes.data(), &length) == 1;
       }},
      {"i2d_PrivateKey",
       [&] {
         unsigned char* der = nullptr;
         const bool given = i2d_PrivateKey(key, &der) > 0;
         OPENSSL_free(der);
         return given;
       }},
      {"EVP_PKEY_print_private", [&] { return EVP_PKEY_print_private(out.get(), key, 0, nullptr) == 1; }},
      {"EVP_PKEY_todata",
       [&] {
         OSSL_PARAM* params = nullptr;
         return EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params) == 1;
       }},
      {"PKCS12_create",
       [&] {
         const std::unique_ptr<PKCS12, OpensslDeleter<PKCS12_free>> made(
             PKCS12_create_ex("x", "n", key, nullptr, nullptr, 0, 0, 0, 0, 0, host_.context(), nullptr));
         return made != nullptr;
       }},
      {"OSSL_ENCODER_to_bio",
       [&] {
         const std::unique_ptr<OSSL_ENCODER_CTX, OpensslDeleter<OSSL_ENCODER_CTX_free>> encoder(
             OSSL_ENCODER_CTX_new_for_pkey(key, EVP_PKEY_KEYPAIR, "DER", "PrivateKeyInfo", nullptr));
         return OSSL_ENCODER_to_bio(encoder.get(), out.get()) == 1;
       }},
  };
  for (const auto& [name, way] : ways) {
    EXPECT_FALSE(way()) << name;
    EXPECT_THAT(errors(), HasSubstr("devtrust: the private key of a device certificate stays where it is")) << name;
    EXPECT_EQ(contents(out.get()), "") << name;
  }
  for (const char* number : {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_PRIV_KEY}) {
    BIGNUM* found = nullptr;
    EXPECT_NE(EVP_PKEY_get_bn_param(key, number, &found), 1) << number;
    Bytes bytes(512);
    std::size_t length = 0;
    EXPECT_NE(EVP_PKEY_get_octet_string_param(key, number, bytes.data(), bytes.size(), &length), 1) << number;
  }
  errors();
}

TEST_P(Secrecy, PublicPartIsThatOfTheDefaultProvider) {
  const auto written = [](EVP_PKEY* key, int (*write)(BIO*, EVP_PKEY*)) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    EXPECT_EQ(write(out.get(), key), 1) << errors();
    return contents(out.get());
  };
  const std::array<int (*)(BIO*, EVP_PKEY*), 4> forms{
      [](BIO* out, EVP_PKEY* key) { return PEM_write_bio_PUBKEY(out, key); },
      [](BIO* out, EVP_PKEY* key) { return i2d_PUBKEY_bio(out, key); },
      [](BIO* out, EVP_PKEY* key) { return EVP_PKEY_print_public(out, key, 0, nullptr); },
      [](BIO* out, EVP_PKEY* key) { return EVP_PKEY_print_params(out, key, 0, nullptr); }};
  for (const auto& form : forms) {
    if (&form == &forms.back() && !GetParam().starts_with("ec:")) continue;
    EXPECT_EQ(written(ours_.get(), form), written(public_.get(), form));
  }
  if (GetParam() == "rsa:2048") {
    const auto traditional = [](BIO* out, EVP_PKEY* key) {
      const std::unique_ptr<OSSL_ENCODER_CTX, OpensslDeleter<OSSL_ENCODER_CTX_free>> encoder(
          OSSL_ENCODER_CTX_new_for_pkey(key, EVP_PKEY_PUBLIC_KEY, "PEM", "type-specific", nullptr));
      return OSSL_ENCODER_to_bio(encoder.get(), out);
    };
    EXPECT_EQ(written(ours_.get(), traditional), written(public_.get(), traditional));
  }
}

TEST_P(Secrecy, KeyIsThatOfItsCertificate) {
  EXPECT_EQ(EVP_PKEY_eq(ours_.get(), public_.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(public_.get(), ours_.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(ours_.get(), theirs_.get()), 1);
  const EvpPkeyPtr copy(EVP_PKEY_dup(ours_.get()));
  EXPECT_EQ(EVP_PKEY_eq(copy.get(), ours_.get()), 1);
  for (const std::string& other : key_kinds()) {
    if (other == GetParam()) continue;
    EXPECT_NE(EVP_PKEY_eq(ours_.get(), host_.public_key(file_store(other).leaf().certificate).get()), 1) << other;
  }
  const BioPtr file(BIO_new_file(store_.leaf().certificate.string().c_str(), "r"));
  X509* parsed = X509_new_ex(host_.context(), nullptr);
  PEM_read_bio_X509(file.get(), &parsed, nullptr, nullptr);
  const X509Ptr certificate(parsed);
  EXPECT_EQ(X509_check_private_key(certificate.get(), ours_.get()), 1);
  errors();
}

TEST_P(Secrecy, SaysOfItselfWhatTheDefaultProviderSays) {
  EXPECT_EQ(EVP_PKEY_get_bits(ours_.get()), EVP_PKEY_get_bits(theirs_.get()));
  EXPECT_EQ(EVP_PKEY_get_security_bits(ours_.get()), EVP_PKEY_get_security_bits(theirs_.get()));
  EXPECT_EQ(EVP_PKEY_get_size(ours_.get()), EVP_PKEY_get_size(theirs_.get()));
  EXPECT_EQ(EVP_PKEY_get_id(ours_.get()), EVP_PKEY_get_id(theirs_.get()));
  std::array<char, 80> one{};
  std::array<char, 80> other{};
  EXPECT_EQ(EVP_PKEY_get_default_digest_name(ours_.get(), one.data(), one.size()),
            EVP_PKEY_get_default_digest_name(theirs_.get(), other.data(), other.size()));
  EXPECT_STREQ(one.data(), other.data());
  std::size_t length = 0;
  if (GetParam().starts_with("ec:")) {
    EXPECT_EQ(EVP_PKEY_get_group_name(ours_.get(), one.data(), one.size(), &length), 1);
    EXPECT_EQ(EVP_PKEY_get_group_name(theirs_.get(), other.data(), other.size(), &length), 1);
    EXPECT_STREQ(one.data(), other.data());
  }
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(host_.context(), ours_.get(), nullptr));
  EXPECT_EQ(EVP_PKEY_public_check(context.get()), 1);
  EXPECT_EQ(EVP_PKEY_private_check(context.get()), 1);
}

TEST_P(Secrecy, KeyIsWrittenInAnotherFormAndStaysTheSame) {
  if (!GetParam().starts_with("ec:")) return;
  const EvpPkeyPtr copy(EVP_PKEY_dup(ours_.get()));
  ASSERT_EQ(EVP_PKEY_set_utf8_string_param(copy.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"), 1);
  unsigned char* der = nullptr;
  const int compressed = i2d_PUBKEY(copy.get(), &der);
  OPENSSL_free(der);
  der = nullptr;
  const int whole = i2d_PUBKEY(ours_.get(), &der);
  OPENSSL_free(der);
  EXPECT_LT(compressed, whole) << "and the first one is as it was";
  const std::array<unsigned char, 65> other{4};
  EXPECT_NE(EVP_PKEY_set1_encoded_public_key(ours_.get(), other.data(), other.size()), 1);
  EXPECT_THAT(errors(), HasSubstr("cannot be changed"));
}

}  // namespace
}  // namespace devtrust::testing
