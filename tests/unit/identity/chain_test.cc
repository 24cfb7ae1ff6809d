#include "identity/chain.h"

#include <gtest/gtest.h>

#include "tests/unit/identity/keys.h"

namespace devtrust {
namespace {

using testing::load_certificate;
using testing::must_run;
using testing::TempDir;

Time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

/// Certificates made straight by openssl: any subject, any issuer, key identifiers or none.
class Forge {
 public:
  CertificatePtr make(const std::string& name, const std::string& subject, const std::string& issuer = {},
                      bool key_ids = true, int days = 30) {
    const std::string key = path(name + ".key");
    if (!std::filesystem::exists(key)) {
      must_run({"openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key});
    }
    testing::write_file(folder_ / "ext.cnf",
                        std::string("basicConstraints=critical,CA:TRUE\n") +
                            (key_ids ? "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                                     : "subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n"));
    const std::string out = path(name + std::to_string(++made_) + ".pem");
    must_run({"openssl", "req", "-new", "-key", key, "-subj", "/CN=" + subject, "-out", path("req.pem")});
    std::vector<std::string> command{
        "openssl",  "x509",         "-req", "-in", path("req.pem"), "-out", out, "-days", std::to_string(days),
        "-extfile", path("ext.cnf")};
    if (issuer.empty()) {
      command.insert(command.end(), {"-signkey", key});
    } else {
      command.insert(command.end(), {"-CA", issuer_.at(issuer), "-CAkey", path(issuer + ".key"), "-CAcreateserial"});
    }
    must_run(command);
    issuer_[name] = out;
    return load_certificate(out);
  }

 private:
  std::string path(const std::string& file) const { return (folder_ / file).string(); }
  TempDir folder_;
  std::map<std::string, std::string> issuer_;
  int made_ = 0;
};

TEST(Chain, GoesFromLeafToRoot) {
  Forge forge;
  const auto root = forge.make("root", "Root");
  const auto middle = forge.make("middle", "Middle", "root");
  const auto leaf = forge.make("leaf", "Leaf", "middle");
  const std::vector<CertificatePtr> all{leaf, root, middle};
  const Chain chain = build_chain(*leaf, all, now());
  EXPECT_TRUE(chain.complete);
  EXPECT_FALSE(chain.contradicted);
  EXPECT_EQ(chain.issuers, (std::vector{middle, root}));
}

TEST(Chain, SelfSignedLeafIsCompleteByItself) {
  Forge forge;
  const auto root = forge.make("root", "Root");
  const Chain chain = build_chain(*root, {}, now());
  EXPECT_TRUE(chain.complete);
  EXPECT_TRUE(chain.issuers.empty());
}

TEST(Chain, MissingIssuersLeaveItIncomplete) {
  Forge forge;
  const auto root = forge.make("root", "Root");
  const auto middle = forge.make("middle", "Middle", "root");
  const auto leaf = forge.make("leaf", "Leaf", "middle");
  const Chain no_root = build_chain(*leaf, std::vector{middle}, now());
  EXPECT_FALSE(no_root.complete);
  EXPECT_FALSE(no_root.contradicted);
  EXPECT_EQ(no_root.issuers, std::vector{middle});
  const Chain alone = build_chain(*leaf, std::vector{root}, now());
  EXPECT_FALSE(alone.complete);
  EXPECT_FALSE(alone.contradicted);
  EXPECT_TRUE(alone.issuers.empty());
}

TEST(Chain, DuplicatesAndStrangersChangeNothing) {
  Forge forge;
  const auto root = forge.make("root", "Root");
  const auto middle = forge.make("middle", "Middle", "root");
  const auto leaf = forge.make("leaf", "Leaf", "middle");
  const auto stranger = forge.make("stranger", "Stranger");
  const std::vector<CertificatePtr> all{root, middle, stranger, root, leaf, middle};
  EXPECT_EQ(build_chain(*leaf, all, now()).issuers, (std::vector{middle, root}));
}

TEST(Chain, LookAlikeIssuersArePassedOver) {
  Forge forge;
  forge.make("root", "Root");
  const auto root = forge.make("root", "Root");
  const auto middle = forge.make("middle", "Middle", "root", false);
  const auto leaf = forge.make("leaf", "Leaf", "middle", false);
  const auto look_alike = forge.make("evil", "Middle", "root", false);
  EXPECT_EQ(build_chain(*leaf, std::vector{look_alike, middle, root}, now()).issuers, (std::vector{middle, root}));
  const Chain only_evil = build_chain(*leaf, std::vector{look_alike, root}, now());
  EXPECT_TRUE(only_evil.contradicted);
  EXPECT_TRUE(only_evil.issuers.empty());
}

TEST(Chain, LoopsEnd) {
  // Two authorities that certify each other, and no root.
  Forge forge;
  forge.make("a", "A");
  forge.make("b", "B", "a");
  const auto a_by_b = forge.make("a", "A", "b");
  const auto b_by_a = forge.make("b", "B", "a");
  const auto leaf = forge.make("leaf", "Leaf", "a");
  const Chain chain = build_chain(*leaf, std::vector{a_by_b, b_by_a}, now());
  EXPECT_FALSE(chain.complete);
  EXPECT_EQ(chain.issuers, (std::vector{a_by_b, b_by_a}));
}

TEST(Chain, CrossSignedTakesTheShortCompleteWay) {
  Forge forge;
  const auto old_root = forge.make("old", "Old Root");
  const auto new_root = forge.make("new", "New Root");
  const auto new_by_old = forge.make("new", "New Root", "old");
  forge.make("new", "New Root");  // issue from the self-signed one again
  const auto leaf = forge.make("leaf", "Leaf", "new");
  const std::vector<CertificatePtr> all{new_by_old, old_root, new_root};
  EXPECT_EQ(build_chain(*leaf, all, now()).issuers, std::vector{new_root});
  EXPECT_EQ(build_chain(*leaf, std::vector{new_by_old, old_root}, now()).issuers, (std::vector{new_by_old, old_root}));
}

TEST(Chain, PrefersAnIssuerThatIsStillValid) {
  Forge forge;
  const auto root = forge.make("root", "Root", {}, true, 400);
  const auto expired = forge.make("middle", "Middle", "root", true, 1);
  const auto renewed = forge.make("middle", "Middle", "root", true, 300);
  const auto leaf = forge.make("leaf", "Leaf", "middle");
  const Time later = now() + std::chrono::days(10);
  EXPECT_EQ(build_chain(*leaf, std::vector{expired, renewed, root}, later).issuers, (std::vector{renewed, root}));
  EXPECT_EQ(build_chain(*leaf, std::vector{expired, root}, later).issuers, (std::vector{expired, root}));
}

TEST(Chain, ManyLookAlikesCostABoundedTime) {
  Forge forge;
  const auto root = forge.make("root", "Root", {}, false);
  const auto leaf = forge.make("leaf", "Leaf", "root", false);
  const auto look_alike = forge.make("evil", "Root", {}, false);
  const std::vector<CertificatePtr> all(100000, look_alike);
  EXPECT_TRUE(build_chain(*leaf, all, now()).contradicted);
  std::vector<CertificatePtr> with_root(100001, look_alike);
  with_root.front() = root;
  EXPECT_EQ(build_chain(*leaf, with_root, now()).issuers, std::vector{root});
}

}  // namespace
}  // namespace devtrust
