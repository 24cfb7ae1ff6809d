// RSA decryption and ECDH with our key, judged by the default provider.
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>

#include "tests/provider/fixture.h"

namespace devtrust::testing {
namespace {

using ::testing::HasSubstr;
using Settings = std::vector<std::pair<std::string, std::string>>;

class Cipher : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }

  EvpPkeyCtxPtr begin(EVP_PKEY* key, bool encrypt, const Settings& settings) const {
    EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(host_.context(), key, nullptr));
    EXPECT_EQ(encrypt ? EVP_PKEY_encrypt_init(context.get()) : EVP_PKEY_decrypt_init(context.get()), 1);
    for (const auto& [name, value] : settings) {
      EXPECT_EQ(EVP_PKEY_CTX_ctrl_str(context.get(), name.c_str(), value.c_str()), 1) << name << errors();
    }
    return context;
  }
  Bytes encrypt(EVP_PKEY* key, ByteView plaintext, const Settings& settings) const {
    const EvpPkeyCtxPtr context = begin(key, true, settings);
    Bytes out(256);
    std::size_t length = out.size();
    EXPECT_EQ(EVP_PKEY_encrypt(context.get(), out.data(), &length, plaintext.data(), plaintext.size()), 1) << errors();
    out.resize(length);
    return out;
  }
  Bytes decrypt(EVP_PKEY* key, ByteView ciphertext, const Settings& settings) const {
    const EvpPkeyCtxPtr context = begin(key, false, settings);
    const EvpPkeyCtxPtr copy(EVP_PKEY_CTX_dup(context.get()));
    std::size_t length = 0;
    EXPECT_EQ(EVP_PKEY_decrypt(copy.get(), nullptr, &length, ciphertext.data(), ciphertext.size()), 1);
    Bytes out(length);
    if (EVP_PKEY_decrypt(copy.get(), out.data(), &length, ciphertext.data(), ciphertext.size()) != 1) return {};
    out.resize(length);
    return out;
  }

  FileStore& store_ = file_store("rsa:2048");
  Host host_{store_.config()};
  EvpPkeyPtr ours_ = host_.key();
  EvpPkeyPtr public_ = host_.public_key(store_.leaf().certificate);
};

TEST_F(Cipher, DecryptsWhatTheDefaultProviderEncrypts) {
  const Bytes plaintext(20, 5);
  std::vector<Settings> all{{{"rsa_padding_mode", "pkcs1"}}, {{"rsa_padding_mode", "oaep"}}};
  for (const char* digest : {"sha1", "sha224", "sha256", "sha384", "sha512"}) {
    all.push_back({{"rsa_padding_mode", "oaep"}, {"rsa_oaep_md", digest}});
    all.push_back({{"rsa_padding_mode", "oaep"}, {"rsa_oaep_md", digest}, {"rsa_mgf1_md", "sha256"}});
    all.push_back({{"rsa_padding_mode", "oaep"}, {"rsa_oaep_md", digest}, {"rsa_oaep_label", "6c6162656c"}});
  }
  for (const Settings& settings : all) {
    EXPECT_EQ(decrypt(ours_.get(), encrypt(public_.get(), plaintext, settings), settings), plaintext) << errors();
    EXPECT_EQ(decrypt(ours_.get(), encrypt(ours_.get(), plaintext, settings), settings), plaintext) << errors();
  }
  Bytes whole(256, 1);
  EXPECT_EQ(decrypt(ours_.get(), encrypt(public_.get(), whole, {{"rsa_padding_mode", "none"}}),
                    {{"rsa_padding_mode", "none"}}),
            whole);
}

TEST_F(Cipher, OtherLabelOrDigestDoesNotDecrypt) {
  const Settings with_label{{"rsa_padding_mode", "oaep"}, {"rsa_oaep_label", "6c6162656c"}};
  const Bytes ciphertext = encrypt(public_.get(), Bytes(20, 5), with_label);
  EXPECT_EQ(decrypt(ours_.get(), ciphertext, {{"rsa_padding_mode", "oaep"}}), Bytes{});
  EXPECT_THAT(errors(), HasSubstr("devtrust: the data was not encrypted for this key"));
  EXPECT_EQ(decrypt(ours_.get(), ciphertext, {{"rsa_padding_mode", "oaep"}, {"rsa_oaep_md", "sha256"}}), Bytes{});
  errors();
}

TEST_F(Cipher, GivesThePremasterSecretOfTlsOrRandomBytes) {
  Bytes premaster(48, 0x55);
  premaster[0] = 3;
  premaster[1] = 3;
  const Bytes good = encrypt(public_.get(), premaster, {{"rsa_padding_mode", "pkcs1"}});
  Bytes wrong = premaster;
  wrong[1] = 1;  // another version than the client's
  const Bytes bad = encrypt(public_.get(), wrong, {{"rsa_padding_mode", "pkcs1"}});
  for (const bool right : {true, false}) {
    const EvpPkeyCtxPtr context = begin(ours_.get(), false, {});
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_WITH_TLS_PADDING), 1);
    unsigned version = 0x303;
    const std::array<OSSL_PARAM, 2> params{
        OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, &version), OSSL_PARAM_construct_end()};
    ASSERT_EQ(EVP_PKEY_CTX_set_params(context.get(), params.data()), 1);
    const Bytes& ciphertext = right ? good : bad;
    Bytes out(256);
    std::size_t length = out.size();
    ASSERT_EQ(EVP_PKEY_decrypt(context.get(), out.data(), &length, ciphertext.data(), ciphertext.size()), 1)
        << errors();
    ASSERT_EQ(length, 48U);
    out.resize(length);
    EXPECT_EQ(out == premaster, right);
    EXPECT_NE(out, wrong);
  }
}

class Exchange : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }

  Bytes derive(EVP_PKEY* key, EVP_PKEY* peer, const char* kdf_digest = nullptr) const {
    EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(host_.context(), key, nullptr));
    if (EVP_PKEY_derive_init(context.get()) != 1) return {};
    if (kdf_digest != nullptr) {
      char kdf[] = OSSL_KDF_NAME_X963KDF;
      std::size_t size = 40;
      Bytes shared(7, 4);
      const std::array<OSSL_PARAM, 5> params{
          OSSL_PARAM_construct_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, kdf, 0),
          OSSL_PARAM_construct_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, const_cast<char*>(kdf_digest), 0),
          OSSL_PARAM_construct_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, &size),
          OSSL_PARAM_construct_octet_string(OSSL_EXCHANGE_PARAM_KDF_UKM, shared.data(), shared.size()),
          OSSL_PARAM_construct_end()};
      if (EVP_PKEY_CTX_set_params(context.get(), params.data()) != 1) return {};
    }
    if (EVP_PKEY_derive_set_peer(context.get(), peer) != 1) return {};
    context.reset(EVP_PKEY_CTX_dup(context.get()));
    std::size_t length = 0;
    EXPECT_EQ(EVP_PKEY_derive(context.get(), nullptr, &length), 1);
    Bytes secret(length);
    if (EVP_PKEY_derive(context.get(), secret.data(), &length) != 1) return {};
    secret.resize(length);
    return secret;
  }

  EvpPkeyPtr public_part(EVP_PKEY* key) const {
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(key, &der);
    const unsigned char* at = der;
    EvpPkeyPtr made(d2i_PUBKEY_ex(nullptr, &at, length, host_.context(), nullptr));
    OPENSSL_free(der);
    return made;
  }

  FileStore& store_ = file_store(GetParam());
  Host host_{store_.config()};
  EvpPkeyPtr ours_ = host_.key();
  EvpPkeyPtr theirs_ = host_.file_key(store_.leaf().key);
};

INSTANTIATE_TEST_SUITE_P(Curves, Exchange, ::testing::Values("ec:P-256", "ec:P-384", "ec:P-521"), kind_name_of);

TEST_P(Exchange, GivesTheSecretOfTheDefaultProvider) {
  const EvpPkeyPtr own(EVP_PKEY_Q_keygen(host_.context(), nullptr, "EC", GetParam().substr(3).c_str()));
  const EvpPkeyPtr peer = public_part(own.get());
  const Bytes secret = derive(ours_.get(), peer.get());
  ASSERT_FALSE(secret.empty()) << errors();
  EXPECT_EQ(secret, derive(theirs_.get(), peer.get()));
  EXPECT_EQ(secret, derive(own.get(), host_.public_key(store_.leaf().certificate).get())) << "and the peer's";
  const Bytes derived = derive(ours_.get(), peer.get(), "SHA256");
  EXPECT_EQ(derived.size(), 40U);
  EXPECT_EQ(derived, derive(theirs_.get(), peer.get(), "SHA256"));
  EXPECT_NE(derived, derive(ours_.get(), peer.get(), "SHA512"));
}

TEST_P(Exchange, PeerOnAnotherCurveIsRefused) {
  const EvpPkeyPtr peer(
      EVP_PKEY_Q_keygen(host_.context(), nullptr, "EC", GetParam() == "ec:P-256" ? "P-384" : "P-256"));
  EXPECT_EQ(derive(ours_.get(), peer.get()), Bytes{});
  EXPECT_NE(errors(), "");
}

}  // namespace
}  // namespace devtrust::testing
