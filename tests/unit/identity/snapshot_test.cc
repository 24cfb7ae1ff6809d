#include "identity/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/identity/keys.h"

namespace devtrust {
namespace {

using ::testing::HasSubstr;
using testing::LeafOptions;
using testing::load_certificate;
using testing::Pki;
using testing::TempDir;

Time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

/// A real software key that a test can declare broken.
class BreakableKey final : public PrivateKey {
 public:
  explicit BreakableKey(const PublicKey& key) : PrivateKey(key, {}) {}
  bool can_sign(const SignScheme&) const override { return true; }
  bool can_decrypt(const CipherScheme&) const override { return true; }
  bool can_derive() const override { return true; }
  bool intact() const override { return intact_now; }
  Result<std::size_t> sign(const SignScheme&, ByteView, std::span<std::uint8_t>) const override { return refuse(); }
  Result<SecureBytes> decrypt(const CipherScheme&, ByteView) const override { return refuse(); }
  Result<SecureBytes> derive(ByteView) const override { return refuse(); }
  Result<void> prepare() const override { return refuse(); }
  bool intact_now = true;

 private:
  static tl::unexpected<Error> refuse() { return fail(ErrorCode::kKeyMismatch, "broken by the test"); }
};

class SnapshotTest : public ::testing::Test {
 protected:
  struct Made {
    CertificatePtr leaf;
    std::shared_ptr<BreakableKey> key;
  };

  Made add(int from_days, int to_days, Pki* pki = nullptr) {
    LeafOptions options;
    options.key = "ec:P-256";
    options.valid_from_days = from_days;
    options.valid_to_days = to_days;
    const CertificatePtr leaf = load_certificate((pki != nullptr ? *pki : pki_).issue(options).certificate);
    const auto key = std::make_shared<BreakableKey>(leaf->public_key());
    contents_.certificates.push_back(leaf);
    contents_.keys.push_back(key);
    return {leaf, key};
  }
  void add_issuers(const Pki& pki) {
    contents_.certificates.push_back(load_certificate(pki.root()));
    contents_.certificates.push_back(load_certificate(pki.intermediate()));
  }
  std::shared_ptr<const Snapshot> build(const std::vector<Profile>& profiles = built_in_profiles()) const {
    const auto contents = std::make_shared<StoreContents>(contents_);
    return Snapshot::build(profiles, {{{"nss", "/home/ada/.pki/nssdb", false, {}}, contents}}, now());
  }

  static Pki& shared_pki() {
    static const TempDir folder;
    static Pki pki(folder.path(), "ec:P-256");
    return pki;
  }
  const TempDir folder_;
  Pki& pki_ = shared_pki();
  StoreContents contents_;
};

TEST_F(SnapshotTest, NewestValidOneIsCurrent) {
  add_issuers(pki_);
  const auto expired = add(-40, -10);
  const auto older = add(-16, 14);
  const auto newest = add(-2, 28);
  const auto future = add(3, 33);
  const auto snapshot = build();
  const auto current = snapshot->current("jumpcloud", now());
  ASSERT_TRUE(current) << current.error().message;
  EXPECT_EQ((*current)->leaf, newest.leaf);
  EXPECT_TRUE((*current)->chain.complete);
  EXPECT_EQ((*current)->chain.issuers.size(), 2U);
  // Time alone changes the answer: the snapshot stays as it is.
  EXPECT_EQ((*snapshot->current("jumpcloud", now() + std::chrono::days(5)))->leaf, future.leaf);
  EXPECT_EQ((*snapshot->current("jumpcloud", now() - std::chrono::days(5)))->leaf, older.leaf);
}

TEST_F(SnapshotTest, BrokenKeyIsPassedOver) {
  add_issuers(pki_);
  const auto older = add(-16, 14);
  const auto newest = add(-2, 28);
  const auto snapshot = build();
  newest.key->intact_now = false;
  EXPECT_EQ((*snapshot->current("jumpcloud", now()))->leaf, older.leaf);
  older.key->intact_now = false;
  EXPECT_EQ(snapshot->current("jumpcloud", now()).error().code, ErrorCode::kKeyMismatch);
}

TEST_F(SnapshotTest, SaysWhyThereIsNone) {
  const auto nothing = build(built_in_profiles());
  EXPECT_TRUE(nothing->profiles().empty());
  EXPECT_EQ(nothing->current("jumpcloud", now()).error().code, ErrorCode::kNotFound);

  add_issuers(pki_);
  add(-40, -3);
  const auto expired = build()->current("jumpcloud", now());
  EXPECT_EQ(expired.error().code, ErrorCode::kExpired);
  EXPECT_THAT(expired.error().message, HasSubstr("expired 3 days ago"));
  EXPECT_THAT(expired.error().message, HasSubstr("/home/ada/.pki/nssdb"));
  EXPECT_THAT(expired.error().message, HasSubstr("jumpcloud"));

  contents_ = {};
  add_issuers(pki_);
  add(2, 30);
  EXPECT_THAT(build()->current("jumpcloud", now()).error().message, HasSubstr("not valid before"));
}

TEST_F(SnapshotTest, LookAlikeIssuerIsRefused) {
  Pki stranger(folder_ / "stranger", "ec:P-256");
  // The leaf is ours, the store's only issuer of that name is another's and gives no key identifier to tell.
  const auto leaf = add(-2, 28);
  const auto without_ids = load_certificate(stranger.intermediate());
  contents_.certificates.push_back(without_ids);
  const auto current = build()->current("jumpcloud", now());
  if (leaf.leaf->authority_key_id() && without_ids->subject_key_id()) {
    EXPECT_TRUE(current);  // the identifiers tell them apart: only the issuer is missing
  } else {
    EXPECT_EQ(current.error().code, ErrorCode::kCorrupt);
  }
}

TEST_F(SnapshotTest, CertificateWithoutItsKeyIsNoIdentity) {
  add_issuers(pki_);
  const auto made = add(-2, 28);
  contents_.keys.clear();
  EXPECT_EQ(build()->current("jumpcloud", now()).error().code, ErrorCode::kNotFound);
  contents_.keys.push_back(std::make_shared<BreakableKey>(add(-1, 2).leaf->public_key()));
  contents_.certificates.pop_back();
  EXPECT_EQ(build()->current("jumpcloud", now()).error().code, ErrorCode::kNotFound);
}

TEST_F(SnapshotTest, ShowSaysWhatIsSeen) {
  add_issuers(pki_);
  add(-40, -10);
  const auto older = add(-16, 14);
  const auto newest = add(-2, 28);
  Profile profile = built_in_profiles().front();
  const auto leaves = [&](Show show) {
    profile.show = show;
    std::vector<CertificatePtr> list;
    for (const auto& identity : build({profile})->shown(profile.name, now())) list.push_back(identity->leaf);
    return list;
  };
  EXPECT_EQ(leaves(Show::kCurrent), std::vector{newest.leaf});
  EXPECT_EQ(leaves(Show::kValid), (std::vector{newest.leaf, older.leaf}));
  EXPECT_EQ(leaves(Show::kAll).size(), 3U);
  EXPECT_EQ(leaves(Show::kAll).front(), newest.leaf);
}

TEST_F(SnapshotTest, TheFirstProfileTakesAnIdentityAndConfiguredOnesStay) {
  add_issuers(pki_);
  add(-2, 28);
  const auto profile = [](const std::string& name, const std::string& subject_cn) {
    Match match;
    match.subject_cn = subject_cn;
    return Profile{name, name, Show::kCurrent, {match}, false};
  };
  const Profile any = profile("any", "*");
  const Profile other = profile("other", "Nobody");
  const auto snapshot = build({any, built_in_profiles().front(), other});
  ASSERT_EQ(snapshot->profiles().size(), 2U);
  EXPECT_EQ(snapshot->profiles()[0].name, "any");
  EXPECT_EQ(snapshot->profiles()[1].name, "other");
  EXPECT_TRUE(snapshot->current("any", now()));
  EXPECT_FALSE(snapshot->current("jumpcloud", now()));
}

TEST_F(SnapshotTest, TwoRootsUnderOneNameAreReportedAndAPinDecides) {
  Pki rival(folder_ / "rival", "ec:P-256");
  add_issuers(pki_);
  add_issuers(rival);
  const auto real = add(-10, 20);
  const auto planted = add(-1, 29, &rival);
  const auto snapshot = build();
  ASSERT_EQ(snapshot->problems().size(), 1U);
  EXPECT_THAT(snapshot->problems()[0].message, HasSubstr("root_sha256"));
  EXPECT_EQ((*snapshot->current("jumpcloud", now()))->leaf, planted.leaf);

  Profile pinned = built_in_profiles().front();
  for (Match& match : pinned.matches) match.root_sha256 = to_hex(load_certificate(pki_.root())->sha256());
  const auto with_pin = build({pinned});
  EXPECT_TRUE(with_pin->problems().empty());
  EXPECT_EQ((*with_pin->current("jumpcloud", now()))->leaf, real.leaf);
}

TEST_F(SnapshotTest, IssuersAreFoundInOtherStores) {
  const auto made = add(-2, 28);
  StoreContents issuers;
  issuers.certificates = {load_certificate(pki_.root()), load_certificate(pki_.intermediate())};
  const auto snapshot = Snapshot::build(built_in_profiles(),
                                        {{{"nss", "a", false, {}}, std::make_shared<StoreContents>(contents_)},
                                         {{"nss", "b", false, {}}, std::make_shared<StoreContents>(issuers)}},
                                        now());
  EXPECT_TRUE((*snapshot->current("jumpcloud", now()))->chain.complete);
}

}  // namespace
}  // namespace devtrust
