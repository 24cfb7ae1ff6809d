#include "identity/profile.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/identity/keys.h"

namespace devtrust {
namespace {

using testing::must_run;
using testing::TempDir;
using testing::write_file;

TEST(TextMatches, FoldsCaseAndDashes) {
  EXPECT_TRUE(text_matches("JumpCloud", "jumpcloud"));
  EXPECT_TRUE(text_matches("a-b", "a–b"));
  EXPECT_TRUE(text_matches("a–b", "a-b"));
  EXPECT_TRUE(text_matches("a-b",
                           "a\xE2\x80\x90"
                           "b"));  // U+2010
  EXPECT_TRUE(text_matches("a-b",
                           "a\xE2\x88\x92"
                           "b"));  // U+2212
  EXPECT_FALSE(text_matches("a-b", "a_b"));
  EXPECT_FALSE(text_matches("a-b",
                            "a\xE2\x80\x9C"
                            "b"));  // a quotation mark
  EXPECT_TRUE(text_matches("Müller", "MüLLER"));
  EXPECT_FALSE(text_matches("", "a"));
  EXPECT_TRUE(text_matches("", ""));
}

TEST(TextMatches, StarStandsForAnyRun) {
  EXPECT_TRUE(text_matches("*", ""));
  EXPECT_TRUE(text_matches("*", "anything"));
  EXPECT_TRUE(text_matches("a*", "a"));
  EXPECT_TRUE(text_matches("a*c", "abbbc"));
  EXPECT_FALSE(text_matches("a*c", "abbb"));
  EXPECT_TRUE(text_matches("*b*d*", "abcde"));
  EXPECT_FALSE(text_matches("*d*b*", "abcde"));
  EXPECT_TRUE(text_matches("**a", "bba"));
  EXPECT_TRUE(text_matches("*ab", "aab"));
  EXPECT_FALSE(text_matches("a", "ab"));
}

TEST(TextMatches, TakesNoMoreThanTheProductOfTheLengths) {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "a*";
  pattern += 'b';
  EXPECT_FALSE(text_matches(pattern, std::string(50'000, 'a')));  // exponential backtracking would never end
}

TEST(IsDnPattern, KnowsAttributesAndOids) {
  EXPECT_TRUE(is_dn_pattern("DC=okta, DC=com, CN=Organization*"));
  EXPECT_TRUE(is_dn_pattern("2.5.4.3=x"));
  EXPECT_TRUE(is_dn_pattern("O=Acme\\, Inc."));
  for (const char* pattern : {"", "CN", "CN=", "=x", "CNN=x", "CN=x, y", ",CN=x", "CN=x,,O=y"}) {
    EXPECT_FALSE(is_dn_pattern(pattern)) << pattern;
  }
}

/// A certificate of these names; `eku` as openssl's extension takes it.
class Profiles : public ::testing::Test {
 protected:
  Certificate issue(const std::string& issuer, const std::string& subject, const std::string& extensions = {}) {
    const std::string stem = (folder_.path() / std::to_string(++count_)).string();
    write_file(stem + ".cnf", "[req]\ndistinguished_name=dn\n[dn]\n[ext]\nbasicConstraints=CA:FALSE\n" + extensions);
    const auto request = [&](const std::string& name, const std::string& out, std::vector<std::string> more) {
      std::vector<std::string> command{"openssl",    "req",     "-x509",      "-new",
                                       "-utf8",      "-batch",  "-config",    stem + ".cnf",
                                       "-newkey",    "ec",      "-pkeyopt",   "ec_paramgen_curve:P-256",
                                       "-nodes",     "-keyout", out + ".key", "-out",
                                       out + ".pem", "-subj",   name};
      command.insert(command.end(), more.begin(), more.end());
      must_run(command);
    };
    if (issuer == subject) {
      request(subject, stem, {"-extensions", "ext"});
    } else {
      request(issuer, stem + "ca", {});
      request(subject, stem, {"-CA", stem + "ca.pem", "-CAkey", stem + "ca.key", "-extensions", "ext"});
    }
    return *testing::load_certificate(stem + ".pem");
  }

  /// The names of the built-in profiles that take it.
  static std::vector<std::string> built_in(const Certificate& leaf) {
    std::vector<std::string> names;
    for (const Profile& profile : built_in_profiles()) {
      if (profile_matches(profile, leaf, {})) names.push_back(profile.name);
    }
    return names;
  }
  static bool matches(const Match& match, const Certificate& leaf, const Chain& chain = {}) {
    Profile profile;
    profile.matches = {match};
    const bool whole = profile_matches(profile, leaf, chain);
    EXPECT_TRUE(!whole || leaf_matches(profile, leaf)) << "what matches as a whole matches by its leaf";
    return whole;
  }

  const TempDir folder_;
  int count_ = 0;
};

using Names = std::vector<std::string>;
constexpr const char* kClient = "extendedKeyUsage=clientAuth\n";
constexpr const char* kServer = "extendedKeyUsage=serverAuth\n";

TEST_F(Profiles, TellTheProductsApart) {
  const std::string okta = "/DC=com/DC=okta/CN=Organization Intermediate Authority";
  EXPECT_EQ(built_in(issue("/CN=device-trust.intermediate", "/CN=JumpCloud Device Trust Certificate – 0A1B2C3D")),
            Names{"jumpcloud"});
  EXPECT_EQ(built_in(issue("/CN=device-trust.intermediate", "/CN=JumpCloud Device Trust Certificate - 0A1B2C3D")),
            Names{"jumpcloud"});
  EXPECT_EQ(built_in(issue(okta, "/CN=laptop OktaManagementAttestation", kClient)), Names{"okta"});
  EXPECT_EQ(built_in(issue(okta, "/CN=managementAttestation laptop", kClient)), Names{"okta"});
  EXPECT_EQ(built_in(issue("/CN=Google Endpoint Verification", "/CN=Google Endpoint Verification", kClient)),
            Names{"google"});
  EXPECT_EQ(built_in(issue("/CN=MS-Organization-Access", "/CN=8f6c2a2e-0000-4000-8000-000000000000")), Names{"entra"});
  EXPECT_EQ(built_in(issue("/CN=Duo Endpoint Validation Issuing CA", "/CN=Duo Device Authentication")), Names{"duo"});
  EXPECT_EQ(built_in(issue("/CN=Any CA", "/CN=dev.firezone.device-trust", kClient)), Names{"firezone"});
}

TEST_F(Profiles, PassOverTheNearlyRight) {
  EXPECT_EQ(built_in(issue("/CN=device-trust.intermediate", "/CN=Another Certificate")), Names{});
  EXPECT_EQ(built_in(issue("/CN=another.intermediate", "/CN=JumpCloud Device Trust Certificate – 0A1B2C3D")), Names{});
  EXPECT_EQ(built_in(issue("/CN=MS-Organization-P2P-Access", "/CN=device")), Names{});
  EXPECT_EQ(built_in(issue("/CN=Any CA", "/CN=dev.firezone.device-trust", kServer)), Names{});
  EXPECT_EQ(built_in(issue("/DC=com/DC=other/CN=Organization Intermediate Authority",
                           "/CN=laptop managementAttestation", kClient)),
            Names{});
}

TEST_F(Profiles, HaveDistinctNamesAndLabelsThatFit) {
  Names names;
  Names labels;
  for (const Profile& profile : built_in_profiles()) {
    names.push_back(profile.name);
    labels.push_back(profile.label);
    EXPECT_LE(profile.label.size(), 32U);
    EXPECT_EQ(profile.label.find(':'), std::string::npos);
    EXPECT_TRUE(profile.built_in);
    for (const Match& match : profile.matches) EXPECT_EQ(match.email, "") << "never by e-mail";
  }
  for (Names* list : {&names, &labels}) {
    std::sort(list->begin(), list->end());
    EXPECT_EQ(std::adjacent_find(list->begin(), list->end()), list->end());
  }
  EXPECT_EQ(built_in_profiles().front().name, "jumpcloud");
}

TEST_F(Profiles, EveryFieldOfAMatchMustFit) {
  const Certificate leaf =
      issue("/DC=com/DC=example/O=Acme, Inc./CN=Acme CA", "/O=Acme/OU=Laptops/OU=Berlin/CN=laptop 7",
            std::string(kClient) + "subjectAltName=email:Someone@Example.org\n1.3.6.1.4.1.55555.1=ASN1:NULL\n");
  const auto with = [](std::string Match::*field, const std::string& value) {
    Match match;
    match.*field = value;
    return match;
  };
  EXPECT_FALSE(matches({}, leaf)) << "a match that asks for nothing matches nothing";
  EXPECT_TRUE(matches(with(&Match::issuer_cn, "acme*"), leaf));
  EXPECT_FALSE(matches(with(&Match::issuer_cn, "laptop*"), leaf));
  EXPECT_TRUE(matches(with(&Match::subject_cn, "Laptop ?"), leaf) == false) << "only the star is special";
  EXPECT_TRUE(matches(with(&Match::subject_cn, "LAPTOP *"), leaf));
  EXPECT_TRUE(matches(with(&Match::issuer_dn, "DC=com, dc=EXAMPLE"), leaf)) << "in any order";
  EXPECT_TRUE(matches(with(&Match::issuer_dn, "O=Acme\\, Inc."), leaf));
  EXPECT_FALSE(matches(with(&Match::issuer_dn, "DC=com, DC=other"), leaf));
  EXPECT_FALSE(matches(with(&Match::issuer_dn, "OU=com"), leaf));
  EXPECT_TRUE(matches(with(&Match::subject_dn, "OU=Berlin, OU=Lap*, 2.5.4.10=acme"), leaf));
  EXPECT_FALSE(matches(with(&Match::subject_dn, "OU=Berlin, OU=Desktops"), leaf));
  EXPECT_TRUE(matches(with(&Match::eku, "1.3.6.1.5.5.7.3.2"), leaf));
  EXPECT_FALSE(matches(with(&Match::eku, "1.3.6.1.5.5.7.3.1"), leaf));
  EXPECT_TRUE(matches(with(&Match::oid, "1.3.6.1.4.1.55555.1"), leaf));
  EXPECT_FALSE(matches(with(&Match::oid, "1.3.6.1.4.1.55555"), leaf));
  EXPECT_TRUE(matches(with(&Match::email, "someone@example.org"), leaf));
  EXPECT_FALSE(matches(with(&Match::email, "other@example.org"), leaf));
  Match both = with(&Match::issuer_cn, "Acme CA");
  both.eku = "1.3.6.1.5.5.7.3.1";
  EXPECT_FALSE(matches(both, leaf)) << "one field that does not fit is enough";
}

TEST_F(Profiles, AnyMatchWillDo) {
  const Certificate leaf = issue("/CN=Some CA", "/CN=leaf");
  Profile profile;
  EXPECT_FALSE(profile_matches(profile, leaf, {}));
  profile.matches.resize(2);
  profile.matches[0].issuer_cn = "Other CA";
  profile.matches[1].issuer_cn = "Some CA";
  EXPECT_TRUE(profile_matches(profile, leaf, {}));
}

TEST_F(Profiles, ARootIsThatOfACompleteChain) {
  const testing::Pki pki(folder_.path() / "pki", "ec:P-256");
  const auto leaf = testing::load_certificate(testing::Pki(pki).issue({.key = "ec:P-256"}).certificate);
  const auto root = testing::load_certificate(pki.root());
  const auto intermediate = testing::load_certificate(pki.intermediate());
  const Chain whole{{intermediate, root}, true, false};
  const Chain part{{intermediate, root}, false, false};
  Match by_name;
  by_name.root_cn = "JumpCloud Production*";
  EXPECT_TRUE(matches(by_name, *leaf, whole));
  EXPECT_FALSE(matches(by_name, *leaf, part));
  by_name.root_cn = "device-trust.intermediate";
  EXPECT_FALSE(matches(by_name, *leaf, whole)) << "the last one is the root";

  Match pinned;
  pinned.root_sha256 = to_hex(root->sha256());
  EXPECT_TRUE(matches(pinned, *leaf, whole));
  EXPECT_FALSE(matches(pinned, *leaf, part));
  std::string colons;
  for (std::size_t i = 0; i < 64; i += 2) colons += (i > 0 ? ":" : "") + pinned.root_sha256.substr(i, 2);
  std::transform(colons.begin(), colons.end(), colons.begin(), [](unsigned char c) { return std::toupper(c); });
  pinned.root_sha256 = colons;
  EXPECT_TRUE(matches(pinned, *leaf, whole));
  pinned.root_sha256 = to_hex(intermediate->sha256());
  EXPECT_FALSE(matches(pinned, *leaf, whole));

  const Certificate self_signed = issue("/CN=self", "/CN=self");
  Match self;
  self.root_cn = "self";
  EXPECT_TRUE(matches(self, self_signed, {{}, true, false})) << "a self-signed leaf is its own root";
}

}  // namespace
}  // namespace devtrust
