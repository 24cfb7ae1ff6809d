#include "backends/keychain/keychain_place.h"

#include "tests/unit/backends/keychain/fixture.h"

namespace devtrust {
namespace {

using security::ItemClass;

class KeychainPlaceTest : public testing::KeychainTest {
 protected:
  static std::size_t count(const KeychainPlace& place, ItemClass item_class) {
    const auto items = place.items(item_class, true);
    EXPECT_TRUE(items) << items.error().text;
    return items ? items->size() : 0;
  }
};

TEST_F(KeychainPlaceTest, IsTheFileThatIsThereWithOrWithoutItsEnding) {
  const auto older = keychain("older.keychain");
  const auto newer = keychain("newer.keychain-db");
  for (const char* name : {"older.keychain", "older.keychain-db"}) {
    EXPECT_EQ(KeychainPlace((keychains() / name).string()).path().value(), older.path());
  }
  for (const char* name : {"newer.keychain", "newer.keychain-db"}) {
    EXPECT_EQ(KeychainPlace((keychains() / name).string()).path().value(), newer.path());
  }
  EXPECT_EQ(KeychainPlace("/a.keychain"), KeychainPlace("/a.keychain-db"));
  EXPECT_FALSE(KeychainPlace("/a.keychain") == KeychainPlace("/b.keychain"));
  EXPECT_EQ(KeychainPlace((keychains() / "none").string()).path().value(), "");
  EXPECT_FALSE(KeychainPlace(std::string(5000, 'x')).path()) << "which is not to be seen, rather than missing";
}

TEST_F(KeychainPlaceTest, GivesWhatLiesInItAndNothingThatASearchGivesBeside) {
  auto other = keychain("other.keychain-db");
  other.add(rsa_);
  auto own = keychain();
  own.add(ec_);
  own.set({"also " + other.path().string()});
  const KeychainPlace place(own.path().string());
  EXPECT_EQ(count(place, ItemClass::kIdentity), 1U);
  EXPECT_EQ(count(place, ItemClass::kCertificate), 3U);
  EXPECT_EQ(count(KeychainPlace(other.path().string()), ItemClass::kIdentity), 1U);
}

TEST_F(KeychainPlaceTest, KnowsItsOwnItemsBehindASymbolicLink) {
  auto own = keychain();
  own.add(ec_);
  const auto link = home_ / "link.keychain-db";
  std::filesystem::create_symlink(own.path(), link);
  EXPECT_EQ(count(KeychainPlace(link.string()), ItemClass::kIdentity), 1U);
}

TEST_F(KeychainPlaceTest, AnEmptyKeychainIsNoFailure) {
  const auto own = keychain();
  EXPECT_EQ(count(KeychainPlace(own.path().string()), ItemClass::kIdentity), 0U);
}

TEST_F(KeychainPlaceTest, TheDataProtectionKeychainHasNoFile) {
  auto own = keychain("data-protection");
  own.add(ec_);
  const KeychainPlace place{std::string()};
  EXPECT_FALSE(place.is_file());
  EXPECT_EQ(count(place, ItemClass::kIdentity), 1U);
}

TEST_F(KeychainPlaceTest, HandsOnWhatFailed) {
  const auto own = keychain();
  const KeychainPlace place(own.path().string());
  for (const char* function : {"SecKeychainOpen", "SecKeychainGetPath", "SecItemCopyMatching"}) {
    security_double_fail(function, -25291, 1);
    const auto items = place.items(ItemClass::kIdentity, true);
    ASSERT_FALSE(items) << function;
    EXPECT_EQ(items.error().code, -25291) << function;
  }
}

TEST_F(KeychainPlaceTest, PassesOverWhatIsGoneSinceTheSearch) {
  auto own = keychain();
  own.add(ec_);
  const KeychainPlace place(own.path().string());
  for (const char* function : {"SecIdentityCopyCertificate", "SecKeychainItemCopyKeychain", "SecCertificateCopyData"}) {
    security_double_fail(function, -25304, 1);
    EXPECT_EQ(count(place, ItemClass::kIdentity), 0U) << function;
  }
}

}  // namespace
}  // namespace devtrust
