#include "identity/certificate.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "tests/unit/identity/keys.h"

namespace devtrust {
namespace {

using testing::LeafOptions;
using testing::load_certificate;
using testing::load_der;
using testing::must_run;
using testing::Pki;
using testing::TempDir;

TEST(Certificate, SaysWhatOpensslSays) {
  const TempDir folder;
  Pki pki(folder.path());
  LeafOptions options;
  options.email = "ada@example.com";
  options.more_subject = "/O=Comma, Inc./emailAddress=other@example.com";
  const auto leaf = pki.issue(options);
  const CertificatePtr certificate = load_certificate(leaf.certificate);

  EXPECT_EQ(certificate->common_name(), options.common_name);
  EXPECT_EQ(certificate->issuer_common_name(), "device-trust.intermediate");
  const auto shown = [&leaf](const std::string& what) {
    std::string text = testing::must_print({"openssl", "x509", "-in", leaf.certificate.string(), "-noout", what,
                                            "-nameopt", "RFC2253,-esc_msb", "-sha256"});
    text = text.substr(text.find('=') + 1);
    return text.substr(0, text.find('\n'));
  };
  EXPECT_EQ(certificate->subject_text(), shown("-subject"));
  EXPECT_EQ(certificate->issuer_text(), shown("-issuer"));
  std::string fingerprint = shown("-fingerprint");
  std::erase(fingerprint, ':');
  std::string own = to_hex(certificate->sha256());
  for (char& c : own) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(own, fingerprint);
  EXPECT_EQ(certificate->emails(), (std::vector<std::string>{"ada@example.com", "other@example.com"}));
  EXPECT_EQ(certificate->extended_key_usage(), std::vector<std::string>{"1.3.6.1.5.5.7.3.2"});
  EXPECT_FALSE(certificate->is_ca());
  EXPECT_TRUE(load_certificate(pki.root())->is_ca());
  EXPECT_EQ(certificate->authority_key_id(), load_certificate(pki.intermediate())->subject_key_id());
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  EXPECT_TRUE(certificate->valid_at(now));
  EXPECT_FALSE(certificate->valid_at(now - std::chrono::days(11)));
  EXPECT_FALSE(certificate->valid_at(now + std::chrono::days(21)));
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

TEST(Certificate, ReadsBothKindsOfTime) {
  const TempDir folder;
  const std::string pem = (folder / "far.pem").string();
  must_run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            (folder / "far.key").string(), "-out", pem, "-subj", "/CN=far", "-days", "20000"});  // past 2049
  const CertificatePtr certificate = load_certificate(pem);
  EXPECT_EQ(certificate->not_after() - certificate->not_before(), std::chrono::days(20000));
}

TEST(Certificate, KnowsWhoSignedIt) {
  for (const char* key : {"rsa:2048", "ec:P-384", "ed25519"}) {
    const TempDir folder;
    Pki pki(folder / "a", key);
    Pki stranger(folder / "b", key);
    const CertificatePtr leaf = load_certificate(pki.issue().certificate);
    const CertificatePtr intermediate = load_certificate(pki.intermediate());
    const CertificatePtr root = load_certificate(pki.root());
    EXPECT_TRUE(leaf->signed_by(*intermediate)) << key;
    EXPECT_TRUE(intermediate->signed_by(*root)) << key;
    EXPECT_TRUE(root->signed_by(*root)) << key;
    EXPECT_FALSE(leaf->signed_by(*root)) << key;
    EXPECT_FALSE(leaf->signed_by(*load_certificate(stranger.intermediate()))) << key;
  }
}

TEST(Certificate, KnowsPssSignatures) {
  const TempDir folder;
  const std::string pem = (folder / "pss.pem").string();
  must_run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", (folder / "pss.key").string(),
            "-out", pem, "-subj", "/CN=pss", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"});
  const CertificatePtr certificate = load_certificate(pem);
  EXPECT_TRUE(certificate->signed_by(*certificate));
}

TEST(Certificate, ReadsOldStringTypes) {
  const TempDir folder;
  const std::string pem = (folder / "bmp.pem").string();
  testing::write_file(folder / "bmp.cnf",
                      "[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=MASK:0x800\nutf8=yes\n"
                      "[dn]\nCN=Device \xE2\x80\x93 \xC3\xA9\n");
  must_run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            (folder / "bmp.key").string(), "-out", pem, "-utf8", "-config", (folder / "bmp.cnf").string()});
  EXPECT_EQ(load_certificate(pem)->common_name(), "Device \xE2\x80\x93 \xC3\xA9");
}

TEST(Certificate, RefusesWhatIsDamaged) {
  const TempDir folder;
  Pki pki(folder.path(), "ec:P-256");
  const Bytes good = load_der(pki.intermediate());
  ASSERT_TRUE(Certificate::parse(good));
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(Certificate::parse(ByteView(good).first(cut))) << cut;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(Certificate::parse(longer));
  EXPECT_EQ(Certificate::parse(Bytes(70000, 0x30)).error().code, ErrorCode::kCorrupt);
  // One changed byte: it may still parse, and then it is not signed any more.
  const CertificatePtr root = load_certificate(pki.root());
  for (std::size_t i = 0; i < good.size(); i += 3) {
    Bytes changed = good;
    changed[i] ^= 1U;
    const auto parsed = Certificate::parse(changed);
    if (parsed) {
      EXPECT_FALSE((*parsed)->signed_by(*root)) << i;
    }
  }
}

}  // namespace
}  // namespace devtrust
