#include "backends/keychain/security.h"

#include "tests/unit/backends/keychain/fixture.h"

namespace devtrust {
namespace {

using security::Domain;
using security::ItemClass;

class SecurityTest : public testing::KeychainTest {
 protected:
  security::Object open() const { return security::open_keychain(file_.path().string()).value(); }
  security::Object identity() const { return security::items(open(), ItemClass::kIdentity, true).value().at(0); }
  security::Object key() const { return security::private_key_of(identity()).value(); }
  testing::KeychainFile file_ = keychain();
};

TEST_F(SecurityTest, EachCopyOfAReferenceCounts) {
  security::Object first = open();
  const std::size_t live = security_double_live_objects();
  security::Object second = first;
  first = security::Object();
  EXPECT_EQ(security_double_live_objects(), live);
  security::Object third = std::move(second);
  third = open();
  EXPECT_EQ(security_double_live_objects(), live);
  EXPECT_TRUE(security::path_of(third));
}

TEST_F(SecurityTest, SaysWhatStateAKeychainIsIn) {
  EXPECT_TRUE(security::state_of(open())->unlocked);
  file_.set({"locked", "unreadable"});
  EXPECT_FALSE(security::state_of(open())->unlocked);
  EXPECT_FALSE(security::state_of(open())->readable);
  const auto missing = security::open_keychain((keychains() / "none").string());
  ASSERT_TRUE(missing) << "which says nothing yet";
  EXPECT_EQ(security::state_of(*missing).error().code, -25294);
  EXPECT_FALSE(security::state_of(*missing).error().text.empty());
}

TEST_F(SecurityTest, KeepsTheDomainOfAnError) {
  file_.add(ec_);
  struct Case {
    const char* name;
    Domain domain;
  };
  for (const Case& row :
       {Case{"NSOSStatusErrorDomain", Domain::kOsStatus}, Case{"CryptoTokenKit", Domain::kCryptoTokenKit},
        Case{"com.apple.LocalAuthentication", Domain::kLocalAuthentication}, Case{"somebody's", Domain::kOther}}) {
    security_double_fail_with("SecKeyCreateSignature", row.name, -7, 1);
    const auto signature = security::sign(key(), KeychainAlgorithm::kEcdsaSignatureX962, Bytes(32));
    ASSERT_FALSE(signature);
    EXPECT_EQ(signature.error().domain, row.domain) << row.name;
    EXPECT_EQ(signature.error().code, -7);
    EXPECT_FALSE(signature.error().text.empty());
  }
}

TEST_F(SecurityTest, RefusesAnAlgorithmThatTheKeyDoesNotSupport) {
  file_.add(ec_);
  EXPECT_FALSE(security::supports(key(), security::KeyUse::kSign, KeychainAlgorithm::kRsaSignatureRaw));
  EXPECT_EQ(security::sign(key(), KeychainAlgorithm::kRsaSignatureRaw, Bytes(32)).error().code, -50);
}

TEST_F(SecurityTest, APublicPartThatIsNotToBeHadIsEmpty) {
  file_.add(ec_);
  EXPECT_EQ(security::public_part_of(key()).size(), 65U);
  security_double_fail("SecKeyCopyPublicKey", -50, 1);
  EXPECT_TRUE(security::public_part_of(key()).empty());
  security_double_fail("SecKeyCopyExternalRepresentation", -50, 1);
  EXPECT_TRUE(security::public_part_of(key()).empty());
}

TEST_F(SecurityTest, APointThatIsNoneIsAnError) {
  file_.add(ec_);
  EXPECT_FALSE(security::exchange(key(), Bytes(65, 4)));
}

}  // namespace
}  // namespace devtrust
