#include "identity/token.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/pki.h"

namespace devtrust {
namespace {

CertificatePtr read(const std::filesystem::path& pem, const std::filesystem::path& der) {
  testing::must_run({"openssl", "x509", "-in", pem.string(), "-outform", "DER", "-out", der.string()});
  auto parsed = Certificate::parse(as_bytes(testing::read_file(der)));
  EXPECT_TRUE(parsed);
  return parsed ? *parsed : nullptr;
}

// Programs have it in their configurations.
TEST(Token, SerialIsTheSameForEver) {
  EXPECT_EQ(token_serial("jumpcloud"), "0771b91988138016");
  EXPECT_EQ(token_serial(""), "cbf29ce484222325");
  std::set<std::string> all;
  for (const Profile& profile : built_in_profiles()) {
    EXPECT_EQ(token_serial(profile.name).size(), 16U) << "as long as CK_TOKEN_INFO's field";
    all.insert(token_serial(profile.name));
  }
  EXPECT_EQ(all.size(), built_in_profiles().size());
}

TEST(Token, LabelsTellIdentitiesFromIssuers) {
  const testing::TempDir folder;
  testing::Pki pki(folder / "pki", "ec:P-256");
  const testing::Leaf leaf = pki.issue({.key = "ec:P-256"});
  Identity identity;
  identity.leaf = read(leaf.certificate, folder / "leaf.der");
  const CertificatePtr issuer = read(pki.intermediate(), folder / "issuer.der");
  ASSERT_NE(identity.leaf, nullptr);
  ASSERT_NE(issuer, nullptr);

  Profile profile;
  profile.label = "A label";
  EXPECT_EQ(identity_label(profile, identity, true), "A label");
  EXPECT_TRUE(identity_label(profile, identity, false).starts_with("A label "));
  EXPECT_EQ(issuer_label(profile, *issuer), "device-trust.intermediate");
  profile.label = "device-trust.intermediate";
  EXPECT_TRUE(issuer_label(profile, *issuer).starts_with("device-trust.intermediate ")) << "never the identity's";

  ASSERT_TRUE(issuer->subject_key_id());
  EXPECT_TRUE(equal(issuer_id(*issuer), *identity.leaf->authority_key_id())) << "as GnuTLS looks it up";
}

}  // namespace
}  // namespace devtrust
