// Signatures by our key, judged by the default provider, and the other way round.
#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "tests/provider/fixture.h"

namespace devtrust::testing {
namespace {

using ::testing::HasSubstr;

const std::string kMessage = "what is signed";

/// Settings of a signature as `openssl pkeyutl -pkeyopt` takes them.
using Settings = std::vector<std::pair<std::string, std::string>>;

bool apply(EVP_PKEY_CTX* context, const Settings& settings) {
  return std::ranges::all_of(settings, [context](const auto& setting) {
    return EVP_PKEY_CTX_ctrl_str(context, setting.first.c_str(), setting.second.c_str()) > 0;
  });
}

class Signature : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }

  bool edwards() const { return GetParam().starts_with("ed"); }
  const char* md() const { return edwards() ? nullptr : "SHA256"; }

  Bytes sign(EVP_PKEY* key, const char* digest, const Settings& settings = {}) const {
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* inner = nullptr;
    if (EVP_DigestSignInit_ex(context.get(), &inner, digest, host_.context(), nullptr, key, nullptr) != 1 ||
        !apply(inner, settings)) {
      return {};
    }
    std::size_t length = 0;
    EXPECT_EQ(EVP_DigestSign(context.get(), nullptr, &length, nullptr, 0), 1);
    Bytes signature(length);
    if (EVP_DigestSign(context.get(), signature.data(), &length, as_bytes(kMessage).data(), kMessage.size()) != 1) {
      return {};
    }
    signature.resize(length);
    return signature;
  }
  bool verify(EVP_PKEY* key, const char* digest, ByteView signature, const Settings& settings = {},
              const std::string& message = kMessage) const {
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* inner = nullptr;
    EXPECT_EQ(EVP_DigestVerifyInit_ex(context.get(), &inner, digest, host_.context(), nullptr, key, nullptr), 1);
    EXPECT_TRUE(apply(inner, settings));
    return EVP_DigestVerify(context.get(), signature.data(), signature.size(), as_bytes(message).data(),
                            message.size()) == 1;
  }

  FileStore& store_ = file_store(GetParam());
  Host host_{store_.config()};
  EvpPkeyPtr ours_ = host_.key();
  EvpPkeyPtr theirs_ = host_.file_key(store_.leaf().key);
  EvpPkeyPtr public_ = host_.public_key(store_.leaf().certificate);
};
class RsaSignature : public Signature {};

INSTANTIATE_TEST_SUITE_P(Keys, Signature, ::testing::ValuesIn(key_kinds()), kind_name_of);
INSTANTIATE_TEST_SUITE_P(Keys, RsaSignature, ::testing::Values("rsa:2048", "rsa-pss:2048"), kind_name_of);

TEST_P(Signature, IsOurs) {
  ASSERT_NE(ours_, nullptr) << errors();
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(ours_.get())), "devtrust");
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(theirs_.get())), "default");
}

TEST_P(Signature, IsTrueForEveryDigest) {
  std::vector<const char*> digests{nullptr};
  if (!edwards()) digests = {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "sha2-256", nullptr};
  for (const char* digest : digests) {
    const Bytes signature = sign(ours_.get(), digest);
    ASSERT_FALSE(signature.empty()) << (digest != nullptr ? digest : "none") << errors();
    EXPECT_TRUE(verify(public_.get(), digest, signature)) << digest;
    EXPECT_TRUE(verify(ours_.get(), digest, signature)) << digest;
  }
}

TEST_P(Signature, OfAnotherIsTrueForUs) {
  const Bytes signature = sign(theirs_.get(), md());
  EXPECT_TRUE(verify(ours_.get(), md(), signature));
  EXPECT_EQ(errors(), "");
}

TEST_P(Signature, IsFalseForAnotherMessage) {
  Bytes signature = sign(ours_.get(), md());
  EXPECT_FALSE(verify(ours_.get(), md(), signature, {}, "something else"));
  signature.back() ^= 1U;
  EXPECT_FALSE(verify(ours_.get(), md(), signature));
  errors();
}

TEST_P(Signature, IsMadeInParts) {
  if (edwards()) {
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    EXPECT_EQ(EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, host_.context(), nullptr, ours_.get(), nullptr),
              1);
    EXPECT_NE(EVP_DigestSignUpdate(context.get(), kMessage.data(), 1), 1) << "these sign a whole message";
    errors();
    return;
  }
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  ASSERT_EQ(EVP_DigestSignInit_ex(context.get(), nullptr, "SHA384", host_.context(), nullptr, ours_.get(), nullptr), 1);
  ASSERT_EQ(EVP_DigestSignUpdate(context.get(), kMessage.data(), 4), 1);
  const EvpMdCtxPtr copy(EVP_MD_CTX_new());
  ASSERT_EQ(EVP_MD_CTX_copy_ex(copy.get(), context.get()), 1);
  for (EVP_MD_CTX* each : {context.get(), copy.get()}) {
    ASSERT_EQ(EVP_DigestSignUpdate(each, kMessage.data() + 4, kMessage.size() - 4), 1);
    std::size_t length = 0;
    ASSERT_EQ(EVP_DigestSignFinal(each, nullptr, &length), 1);
    Bytes signature(length);
    ASSERT_EQ(EVP_DigestSignFinal(each, signature.data(), &length), 1) << errors();
    signature.resize(length);
    EXPECT_TRUE(verify(public_.get(), "SHA384", signature));
    const EvpMdCtxPtr verifier(EVP_MD_CTX_new());
    ASSERT_EQ(
        EVP_DigestVerifyInit_ex(verifier.get(), nullptr, "SHA384", host_.context(), nullptr, ours_.get(), nullptr), 1);
    ASSERT_EQ(EVP_DigestVerifyUpdate(verifier.get(), kMessage.data(), kMessage.size()), 1);
    EXPECT_EQ(EVP_DigestVerifyFinal(verifier.get(), signature.data(), signature.size()), 1);
  }
}

TEST_P(Signature, OfADigestIsPlain) {
  if (edwards()) return;  // these sign messages only
  Bytes digest(32, 7);
  for (const bool named : {false, true}) {
    if (!named && GetParam().starts_with("rsa-pss")) continue;  // PSS has to know
    const EvpPkeyCtxPtr signer(EVP_PKEY_CTX_new_from_pkey(host_.context(), ours_.get(), nullptr));
    ASSERT_EQ(EVP_PKEY_sign_init(signer.get()), 1);
    if (named) {
      ASSERT_EQ(EVP_PKEY_CTX_ctrl_str(signer.get(), "digest", "sha256"), 1);
    }
    const EvpPkeyCtxPtr copy(EVP_PKEY_CTX_dup(signer.get()));
    ASSERT_NE(copy, nullptr);
    for (EVP_PKEY_CTX* each : {signer.get(), copy.get(), signer.get()}) {
      std::size_t length = 0;
      ASSERT_EQ(EVP_PKEY_sign(each, nullptr, &length, digest.data(), digest.size()), 1);
      EXPECT_EQ(length, static_cast<std::size_t>(EVP_PKEY_get_size(theirs_.get())));
      Bytes signature(length);
      ASSERT_EQ(EVP_PKEY_sign(each, signature.data(), &length, digest.data(), digest.size()), 1) << errors();
      signature.resize(length);
      for (EVP_PKEY* judge : {public_.get(), ours_.get()}) {
        const EvpPkeyCtxPtr verifier(EVP_PKEY_CTX_new_from_pkey(host_.context(), judge, nullptr));
        ASSERT_EQ(EVP_PKEY_verify_init(verifier.get()), 1);
        if (named) {
          ASSERT_EQ(EVP_PKEY_CTX_ctrl_str(verifier.get(), "digest", "sha256"), 1);
        }
        EXPECT_EQ(EVP_PKEY_verify(verifier.get(), signature.data(), length, digest.data(), digest.size()), 1);
      }
    }
    std::size_t length = 10;
    Bytes small(length);
    EXPECT_NE(EVP_PKEY_sign(signer.get(), small.data(), &length, digest.data(), digest.size()), 1);
    EXPECT_THAT(errors(), HasSubstr("room"));
    if (named) {
      Bytes place(1024);
      length = place.size();
      EXPECT_NE(EVP_PKEY_sign(signer.get(), place.data(), &length, digest.data(), 20), 1) << "no SHA-256";
      errors();
    }
  }
}

TEST_P(Signature, HasTheAlgorithmIdOfTheDefaultProvider) {
  const auto identifier = [this](EVP_PKEY* key, const Settings& settings) {
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* inner = nullptr;
    EXPECT_EQ(EVP_DigestSignInit_ex(context.get(), &inner, md(), host_.context(), nullptr, key, nullptr), 1);
    EXPECT_TRUE(apply(inner, settings));
    Bytes der(256);
    std::array<OSSL_PARAM, 2> params{
        OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, der.data(), der.size()),
        OSSL_PARAM_construct_end()};
    EXPECT_EQ(EVP_PKEY_CTX_get_params(inner, params.data()), 1);
    der.resize(params[0].return_size <= der.size() ? params[0].return_size : 0);
    return to_hex(der);
  };
  std::vector<Settings> all{{}};
  if (GetParam().starts_with("rsa")) all.push_back({{"rsa_padding_mode", "pss"}, {"rsa_pss_saltlen", "digest"}});
  for (const Settings& settings : all)
    EXPECT_EQ(identifier(ours_.get(), settings), identifier(theirs_.get(), settings));
  errors();
}

TEST_P(Signature, IsOnACertificateRequest) {
  X509_REQ* request = X509_REQ_new_ex(host_.context(), nullptr);
  ASSERT_EQ(X509_REQ_set_version(request, X509_REQ_VERSION_1), 1) << errors();
  ASSERT_EQ(X509_REQ_set_pubkey(request, ours_.get()), 1) << errors();
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* inner = nullptr;
  ASSERT_EQ(EVP_DigestSignInit_ex(context.get(), &inner, md(), host_.context(), nullptr, ours_.get(), nullptr), 1);
  ASSERT_GT(X509_REQ_sign_ctx(request, context.get()), 0) << errors();
  EXPECT_EQ(X509_REQ_verify_ex(request, public_.get(), host_.context(), nullptr), 1) << errors();
  X509_REQ_free(request);
}

TEST_P(Signature, ContextIsBegunAgain) {
  if (edwards()) return;
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  for (const char* digest : {"SHA256", "SHA512", "SHA256"}) {
    ASSERT_EQ(EVP_DigestSignInit_ex(context.get(), nullptr, digest, host_.context(), nullptr, ours_.get(), nullptr), 1);
    Bytes signature(1024);
    std::size_t length = signature.size();
    ASSERT_EQ(EVP_DigestSign(context.get(), signature.data(), &length, as_bytes(kMessage).data(), kMessage.size()), 1);
    signature.resize(length);
    EXPECT_TRUE(verify(public_.get(), digest, signature)) << digest;
  }
}

TEST_P(Signature, UnknownDigestIsRefused) {
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  EXPECT_NE(EVP_DigestSignInit_ex(context.get(), nullptr, "SHA-257", host_.context(), nullptr, ours_.get(), nullptr),
            1);
  EXPECT_NE(errors(), "");
}

TEST_P(RsaSignature, HasEverySaltAndDigestOfPss) {
  const Settings pss{{"rsa_padding_mode", "pss"}};
  for (const char* salt : {"digest", "max", "auto", "0", "17"}) {
    for (const char* mgf1 : {"", "sha1", "sha512"}) {
      Settings settings = pss;
      settings.emplace_back("rsa_pss_saltlen", salt);
      if (*mgf1 != '\0') settings.emplace_back("rsa_mgf1_md", mgf1);
      const Bytes signature = sign(ours_.get(), "SHA384", settings);
      ASSERT_FALSE(signature.empty()) << salt << ' ' << mgf1 << errors();
      EXPECT_TRUE(verify(public_.get(), "SHA384", signature, settings)) << salt << ' ' << mgf1;
      Settings other = pss;
      other.emplace_back("rsa_pss_saltlen", "48");
      EXPECT_EQ(verify(public_.get(), "SHA384", signature, other), std::string_view(salt) == "digest" && *mgf1 == '\0');
      errors();
    }
  }
  EXPECT_TRUE(sign(ours_.get(), "SHA384", {{"rsa_padding_mode", "pss"}, {"rsa_pss_saltlen", "4000"}}).empty());
  EXPECT_NE(errors(), "");
}

TEST_P(RsaSignature, PssHasToKnowTheDigest) {
  if (!GetParam().starts_with("rsa-pss")) return;  // the default provider assumes one, where PSS is asked for
  const EvpPkeyCtxPtr signer(EVP_PKEY_CTX_new_from_pkey(host_.context(), ours_.get(), nullptr));
  ASSERT_EQ(EVP_PKEY_sign_init(signer.get()), 1);
  Bytes signature(256);
  std::size_t length = signature.size();
  EXPECT_NE(EVP_PKEY_sign(signer.get(), signature.data(), &length, Bytes(32).data(), 32), 1);
  EXPECT_THAT(errors(), HasSubstr("which digest"));
}

TEST_P(RsaSignature, OtherPaddingsAreForTheKeysThatHaveThem) {
  const bool pss_only = GetParam().starts_with("rsa-pss");
  EXPECT_EQ(sign(ours_.get(), "SHA256", {{"rsa_padding_mode", "pkcs1"}}).empty(), pss_only);
  EXPECT_EQ(errors().empty(), !pss_only);
  EXPECT_TRUE(sign(ours_.get(), "SHA256", {{"rsa_padding_mode", "x931"}}).empty());
  errors();
}

TEST_P(RsaSignature, OverDigestsThatOnlyPkcs1Knows) {
  if (GetParam().starts_with("rsa-pss")) return;
  for (const char* digest : {"MD5", "SHA3-256", "SHA512-256", "MD5-SHA1"}) {
    const Bytes signature = sign(ours_.get(), digest);
    ASSERT_FALSE(signature.empty()) << digest << errors();
    EXPECT_EQ(signature, sign(theirs_.get(), digest)) << digest;
    EXPECT_TRUE(verify(ours_.get(), digest, signature)) << digest;
  }
}

TEST_P(RsaSignature, IsRecovered) {
  if (GetParam().starts_with("rsa-pss")) return;
  const Bytes digest(32, 9);
  for (const char* padding : {"pkcs1", "none"}) {
    Bytes input = std::string_view(padding) == "pkcs1" ? digest : Bytes(256, 3);
    const EvpPkeyCtxPtr signer(EVP_PKEY_CTX_new_from_pkey(host_.context(), ours_.get(), nullptr));
    ASSERT_EQ(EVP_PKEY_sign_init(signer.get()), 1);
    ASSERT_EQ(EVP_PKEY_CTX_ctrl_str(signer.get(), "rsa_padding_mode", padding), 1);
    Bytes signature(256);
    std::size_t length = signature.size();
    ASSERT_EQ(EVP_PKEY_sign(signer.get(), signature.data(), &length, input.data(), input.size()), 1) << errors();
    const EvpPkeyCtxPtr recoverer(EVP_PKEY_CTX_new_from_pkey(host_.context(), ours_.get(), nullptr));
    ASSERT_EQ(EVP_PKEY_verify_recover_init(recoverer.get()), 1);
    ASSERT_EQ(EVP_PKEY_CTX_ctrl_str(recoverer.get(), "rsa_padding_mode", padding), 1);
    Bytes recovered(256);
    length = recovered.size();
    ASSERT_EQ(EVP_PKEY_verify_recover(recoverer.get(), recovered.data(), &length, signature.data(), signature.size()),
              1);
    recovered.resize(length);
    EXPECT_EQ(recovered, input);
  }
}

}  // namespace
}  // namespace devtrust::testing
