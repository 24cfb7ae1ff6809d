// A file with a URI where the key would stand, through every way in which programs read a key file.
#include <openssl/decoder.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "identity/key_reference.h"
#include "tests/provider/fixture.h"

namespace devtrust::testing {
namespace {

using ::testing::HasSubstr;
using SslCtxPtr = std::unique_ptr<SSL_CTX, OpensslDeleter<SSL_CTX_free>>;

class PemForm : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }

  EvpPkeyPtr read(const std::string& text) {
    write_file(folder_ / "key.pem", text);
    return host_.file_key(folder_ / "key.pem");
  }
  std::string why_not(const std::string& text) {
    EXPECT_EQ(read(text), nullptr);
    return errors();
  }

  FileStore& store_ = file_store(GetParam());
  Host host_{store_.config()};
  EvpPkeyPtr ours_ = host_.key();
  TempDir folder_;
  std::string form_ = encode_key_reference("devtrust:jumpcloud");
};
class HostileForm : public PemForm {};

INSTANTIATE_TEST_SUITE_P(Keys, PemForm, ::testing::ValuesIn(key_kinds()), kind_name_of);

TEST_P(PemForm, IsWrittenForAPrivateKey) {
  using CipherPtr = std::unique_ptr<EVP_CIPHER, OpensslDeleter<EVP_CIPHER_free>>;
  const CipherPtr cipher(EVP_CIPHER_fetch(host_.context(), "AES-256-CBC", nullptr));
  for (const EVP_CIPHER* asked :
       {static_cast<const EVP_CIPHER*>(nullptr), static_cast<const EVP_CIPHER*>(cipher.get())}) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(out.get(), ours_.get(), asked, "password", 8, nullptr, nullptr), 1)
        << errors();
    ASSERT_EQ(PEM_write_bio_PrivateKey(out.get(), ours_.get(), nullptr, nullptr, 0, nullptr, nullptr), 1) << errors();
    char* data = nullptr;
    const long length = BIO_get_mem_data(out.get(), &data);
    EXPECT_EQ(std::string(data, static_cast<std::size_t>(length)), form_ + form_) << "there is nothing to encrypt";
  }
}

TEST_P(PemForm, IsReadByEveryWay) {
  const EvpPkeyPtr key = read(form_);
  ASSERT_NE(key, nullptr) << errors();
  EXPECT_EQ(EVP_PKEY_eq(key.get(), ours_.get()), 1);

  const std::filesystem::path path = folder_ / "key.pem";
  const std::string name = path.generic_string();
  EXPECT_THAT(host_.names((name.starts_with('/') ? "file:" : "file:/") + name), ::testing::ElementsAre("key"));
  EXPECT_THAT(host_.names(path.string()), ::testing::ElementsAre("key"));

  const SslCtxPtr tls(SSL_CTX_new_ex(host_.context(), nullptr, TLS_client_method()));
  if (GetParam() != "ed448") SSL_CTX_set_security_level(tls.get(), 1);
  EXPECT_EQ(SSL_CTX_use_certificate_chain_file(tls.get(), store_.chain().string().c_str()), 1) << errors();
  EXPECT_EQ(SSL_CTX_use_PrivateKey_file(tls.get(), path.string().c_str(), SSL_FILETYPE_PEM), 1) << errors();
  EXPECT_EQ(SSL_CTX_check_private_key(tls.get()), 1) << errors();

  EVP_PKEY* decoded = nullptr;
  const std::unique_ptr<OSSL_DECODER_CTX, OpensslDeleter<OSSL_DECODER_CTX_free>> decoder(
      OSSL_DECODER_CTX_new_for_pkey(&decoded, "PEM", nullptr, nullptr, EVP_PKEY_KEYPAIR, host_.context(), nullptr));
  const BioPtr file(BIO_new_file(path.string().c_str(), "r"));
  EXPECT_EQ(OSSL_DECODER_from_bio(decoder.get(), file.get()), 1) << errors();
  EXPECT_EQ(EVP_PKEY_eq(decoded, ours_.get()), 1);
  EVP_PKEY_free(decoded);
}

TEST_P(PemForm, StandsBesideCertificatesInOneFile) {
  const std::string chain = read_file(store_.chain());
  for (const std::string& text : {chain + form_, form_ + chain, "a comment\n" + chain + "\n\n" + form_}) {
    const EvpPkeyPtr key = read(text);
    ASSERT_NE(key, nullptr) << errors();
    EXPECT_EQ(EVP_PKEY_eq(key.get(), ours_.get()), 1);
  }
  EXPECT_THAT(host_.names((folder_ / "key.pem").string()),
              ::testing::ElementsAre(HasSubstr("certificate:JumpCloud"), "certificate:device-trust.intermediate",
                                     HasSubstr("Root CA"), "key"));
}

TEST_P(PemForm, LeavesOtherKeysAlone) {
  const std::string other = read_file(store_.leaf().key);
  for (const std::string& text : {other, other + form_}) {
    const EvpPkeyPtr key = read(text);
    ASSERT_NE(key, nullptr) << errors();
    EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key.get())), "default");
  }
}

INSTANTIATE_TEST_SUITE_P(Keys, HostileForm, ::testing::Values("ec:P-256"), kind_name_of);

TEST_P(HostileForm, SaysWhatIsWrong) {
  EXPECT_THAT(why_not(encode_key_reference("devtrust:okta")), HasSubstr("profile okta"));
  EXPECT_THAT(host_.names((folder_ / "key.pem").string()), ::testing::Each("error"));
  EXPECT_THAT(errors(), HasSubstr("profile okta")) << "not that nothing is known of such a file";
  EXPECT_THAT(why_not(encode_key_reference("devtrust:Jump")), HasSubstr("character 10"));
  EXPECT_THAT(why_not(encode_key_reference("file:/etc/passwd")), HasSubstr("begins neither"));
  EXPECT_THAT(why_not(encode_key_reference("")), HasSubstr("begins neither"));
  // SEQUENCE { VisibleString "2", UTF8String "x" }
  EXPECT_THAT(why_not("-----BEGIN DEVTRUST KEY-----\nMAYaATIMAXg=\n-----END DEVTRUST KEY-----\n"),
              HasSubstr("newer devtrust"));
}

TEST_P(HostileForm, GarbageIsNoKey) {
  const std::string begin = "-----BEGIN DEVTRUST KEY-----\n";
  const std::string end = "-----END DEVTRUST KEY-----\n";
  for (const std::string& text :
       {begin + end, begin + "!!!!\n" + end, begin + "MBcaATEMEmRldnRydXN0\n" + end, begin + "AAAA", begin,
        begin + std::string(200000, 'A') + "\n" + end, begin + std::string(300, 'A') + std::string(70, '\n') + end,
        encode_key_reference(std::string(20000, 'x')), std::string(5000, '-'), std::string()}) {
    const bool ours = text.find(end) != std::string::npos;
    EXPECT_THAT(why_not(text), HasSubstr(ours ? "devtrust: the file's DEVTRUST KEY is damaged" : ":"));
  }
}

TEST_P(HostileForm, UriOfATokenIsUnderstoodWithoutBeingAskedFor) {
  EXPECT_NE(read(encode_key_reference("pkcs11:token=JumpCloud%20Device%20Trust;type=private")), nullptr) << errors();
}

}  // namespace
}  // namespace devtrust::testing
