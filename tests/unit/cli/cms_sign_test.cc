// Our SignedData beside the one that libcrypto makes of the same: to the byte.
#include <gtest/gtest.h>

#include <openssl/pem.h>

#include "cli/cms.h"
#include "cli/device.h"
#include "identity/selection.h"
#include "tests/support/pki.h"

namespace devtrust::cli {
namespace {

constexpr std::string_view kData = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nmessage\n";

/// A device whose store is the files of one leaf.
struct Home {
  explicit Home(const std::string& key) : pki(folder / "pki", "ec:P-256"), leaf(pki.issue({.key = key})) {
    std::string chain = testing::read_file(leaf.certificate);
    for (const auto& issuer : leaf.issuers) chain += testing::read_file(issuer);
    testing::write_file(folder / "chain.pem", chain);
    auto config = parse_config("[[store]]\nkind = \"file\"\npath = '" + (folder / "chain.pem").string() +
                                   "'\nkey_path = '" + leaf.key.string() + "'\n",
                               "test");
    device = *open_device(*std::move(config));
    identity = *select_current(*device.snapshot, {}, current_time());
  }

  Signed sign(const SignRequest& request) const {
    return *sign_message(*identity, as_bytes(kData), request, device.config, *device.audit);
  }

  testing::TempDir folder;
  testing::Pki pki;
  testing::Leaf leaf;
  Device device;
  IdentityPtr identity;
};

std::string encoded(CMS_ContentInfo* message) {
  unsigned char* der = nullptr;
  const int length = i2d_CMS_ContentInfo(message, &der);
  std::string text(as_text(ByteView(der, length > 0 ? static_cast<std::size_t>(length) : 0)));
  OPENSSL_free(der);
  return text;
}

CmsPtr decoded(const std::string& der) {
  const auto* cursor = as_bytes(der).data();
  return CmsPtr(d2i_CMS_ContentInfo(nullptr, &cursor, static_cast<long>(der.size())));
}

/// What libcrypto makes with the key in its hands.
std::string by_libcrypto(const Home& home, const EVP_MD* digest, Time time, bool detached,
                         const std::vector<Bytes>& certificates) {
  const BioPtr file(BIO_new_file(home.leaf.key.string().c_str(), "r"));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr);
  const X509Ptr leaf = to_x509(home.identity->leaf->der());
  const unsigned flags = CMS_PARTIAL | CMS_BINARY | (detached ? CMS_DETACHED : 0U);
  const CmsPtr message(CMS_sign(nullptr, nullptr, nullptr, nullptr, flags));
  CMS_SignerInfo* signer =
      CMS_add1_signer(message.get(), leaf.get(), key, digest, flags | CMS_NOSMIMECAP | CMS_NOCERTS);
  ASN1_TIME* signing_time = ASN1_TIME_set(nullptr, time.time_since_epoch().count());
  CMS_signed_add1_attr_by_NID(signer, NID_pkcs9_signingTime, signing_time->type, signing_time, -1);
  ASN1_TIME_free(signing_time);
  EVP_PKEY_free(key);
  for (const Bytes& certificate : certificates) CMS_add1_cert(message.get(), to_x509(certificate).get());
  EXPECT_EQ(CMS_final(message.get(), reader_of(as_bytes(kData)).get(), nullptr, flags), 1);
  return encoded(message.get());
}

Bytes copy_of(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

class CmsSign : public ::testing::TestWithParam<bool> {};  // detached

TEST_P(CmsSign, WritesWhatLibcryptoWrites) {
  const Home home("rsa:2048");
  std::vector<Bytes> certificates{copy_of(home.identity->leaf->der())};
  for (const CertificatePtr& issuer : home.identity->chain.issuers) certificates.push_back(copy_of(issuer->der()));
  for (int count = 0; count <= static_cast<int>(certificates.size()); ++count) {
    const Signed ours = home.sign({.detached = GetParam(), .include_certs = count, .time_stamp = {}});
    const std::vector<Bytes> included(certificates.begin(), certificates.begin() + count);
    EXPECT_EQ(ours.message, by_libcrypto(home, EVP_sha256(), ours.time, GetParam(), included)) << count;
  }
}

/// Each ECDSA signature is another: ours takes the place of libcrypto's.
TEST_P(CmsSign, WritesWhatLibcryptoWritesButForTheSignature) {
  const std::vector<std::pair<std::string, const EVP_MD*>> keys{
      {"ec:P-256", EVP_sha256()}, {"ec:P-384", EVP_sha384()}, {"ec:P-521", EVP_sha512()}};
  for (const auto& [key, digest] : keys) {
    const Home home(key);
    const Signed ours = home.sign({.detached = GetParam(), .include_certs = 1, .time_stamp = {}});
    const CmsPtr message = decoded(ours.message);
    const CmsPtr theirs =
        decoded(by_libcrypto(home, digest, ours.time, GetParam(), {copy_of(home.identity->leaf->der())}));
    ASSERT_NE(message, nullptr) << key;
    const auto signature_of = [](const CmsPtr& cms) {
      return CMS_SignerInfo_get0_signature(sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms.get()), 0));
    };
    ASN1_STRING_copy(signature_of(theirs), signature_of(message));
    EXPECT_EQ(ours.message, encoded(theirs.get())) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, CmsSign, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "Detached" : "Attached"; });

}  // namespace
}  // namespace devtrust::cli
