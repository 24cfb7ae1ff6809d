#include "backends/keychain/keychain_store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "backends/keychain/security.h"
#include "identity/catalog.h"
#include "tests/unit/backends/keychain/fixture.h"

namespace devtrust {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::KeychainFile;
using testing::Leaf;

constexpr const char* kDataProtection = "the data-protection keychain";

class KeychainStoreTest : public testing::KeychainTest {
 protected:
  /// Until what was written counts as settled.
  static StoreContents settled(Store& store) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      StoreContents contents = read(store);
      if (contents.version || std::chrono::steady_clock::now() > deadline) return contents;
    }
  }
  void write_search_list(const std::vector<std::string>& lines) const {
    const auto path = home_ / "Library/Preferences/com.apple.security.plist";
    std::filesystem::create_directories(path.parent_path());
    std::string text;
    for (const std::string& line : lines) text += line + '\n';
    testing::write_file(path, text);
  }
  static std::vector<std::string> locations(StoreSource& source) {
    std::vector<std::string> list;
    for (const auto& store : source.stores()) list.push_back(store->location());
    return list;
  }
  std::string place(const char* name) const { return (keychains() / name).string(); }
};

TEST_F(KeychainStoreTest, FindsTheLeafItsKeyAndItsIssuers) {
  KeychainFile file = keychain();
  file.add(rsa_);
  const Leaf without_key = pki_.issue({.key = "ec:P-256", .common_name = "without a key"});
  file.add_certificate(without_key.certificate);
  const auto store = store_at(file.path());
  const StoreContents contents = read(*store);
  EXPECT_TRUE(holds(contents, rsa_.certificate));
  EXPECT_TRUE(holds(contents, pki_.intermediate()));
  EXPECT_TRUE(holds(contents, pki_.root()));
  ASSERT_TRUE(key_of(contents, rsa_));
  EXPECT_TRUE(key_of(contents, rsa_)->intact());
  EXPECT_FALSE(key_of(contents, without_key));
  EXPECT_THAT(problems_of(contents), IsEmpty());
  EXPECT_EQ(store->kind(), "keychain");
  EXPECT_EQ(store->location(), file.path());
}

TEST_F(KeychainStoreTest, ReadingSignsNothingAndAsksNobody) {
  KeychainFile file = keychain();
  file.add(rsa_);
  file.set({"locked"});
  const std::size_t signatures = security_double_calls("SecKeyCreateSignature");
  const std::size_t dialogs = security_double_dialogs();
  read(*store_at(file.path(), true));
  EXPECT_EQ(security_double_calls("SecKeyCreateSignature"), signatures);
  EXPECT_EQ(security_double_dialogs(), dialogs);
  EXPECT_TRUE(security::interaction_allowed().value()) << "as it was before";
}

TEST_F(KeychainStoreTest, WhatASearchGivesBesideIsNotThere) {
  KeychainFile other = keychain("other.keychain-db");
  other.add(rsa_);
  KeychainFile file = keychain();
  file.add(ec_);
  file.set({"also " + other.path().string()});
  const StoreContents contents = read(*store_at(file.path()));
  EXPECT_TRUE(key_of(contents, ec_));
  EXPECT_FALSE(key_of(contents, rsa_));
  EXPECT_FALSE(holds(contents, rsa_.certificate));
}

TEST_F(KeychainStoreTest, AMissingFileIsNotFound) {
  const auto read = store_at(place("none.keychain-db"))->read();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(read.error().message, HasSubstr("is not there"));
}

TEST_F(KeychainStoreTest, AFileOfSomebodyElseIsDenied) {
  KeychainFile file = keychain();
  file.set({"unreadable"});
  const auto read = store_at(file.path())->read();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kAccessDenied);
  EXPECT_THAT(read.error().message, HasSubstr("cannot be read by this user"));
  const auto hidden = store_at(home_ / std::string(5000, 'x'))->read();
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().code, ErrorCode::kAccessDenied);
  EXPECT_THAT(hidden.error().message, HasSubstr("cannot be looked at"));
}

TEST_F(KeychainStoreTest, WhatIsNoKeychainIsSaidSo) {
  std::filesystem::create_directories(keychains());
  testing::write_file(place("test.keychain-db"), "something else\n");
  const auto read = store_at(place("test.keychain-db"))->read();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(read.error().message, HasSubstr("is not a keychain"));
}

TEST_F(KeychainStoreTest, ALockedOneIsReadAndTold) {
  KeychainFile file = keychain();
  file.add(rsa_);
  file.set({"locked"});
  const StoreContents contents = read(*store_at(file.path()));
  EXPECT_TRUE(key_of(contents, rsa_));
  EXPECT_THAT(problems_of(contents), HasSubstr("unlock-keychain " + file.path().string()));
}

TEST_F(KeychainStoreTest, SeesThatALockedOneIsUnlocked) {
  KeychainFile file = keychain();
  file.add(rsa_);
  file.set({"locked"});
  const auto store = store_at(file.path());
  const StoreContents before = settled(*store);
  ASSERT_TRUE(before.version);
  // Its file does not change by that: only macOS' word does.
  const auto time = std::filesystem::last_write_time(file.path());
  const auto unchanged = [&] { return store->version() == *before.version; };
  EXPECT_TRUE(unchanged());
  file.set({});
  std::filesystem::last_write_time(file.path(), time);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (unchanged()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_THAT(problems_of(read(*store)), IsEmpty());
}

TEST_F(KeychainStoreTest, WhatARemovedAgentLeftIsSaidSo) {
  KeychainFile file = keychain();
  file.add(pki_.issue({.key = "ec:P-256", .valid_from_days = -60, .valid_to_days = -30}));
  const StoreContents contents = read(*store_at(file.path()));
  EXPECT_THAT(problems_of(contents), AllOf(HasSubstr("nothing that is valid since"), HasSubstr("delete-keychain")));
  file.add(ec_);
  EXPECT_THAT(problems_of(read(*store_at(file.path()))), IsEmpty());
}

TEST_F(KeychainStoreTest, OneBrokenCertificateDoesNotHideTheOthers) {
  KeychainFile file = keychain();
  const Leaf edwards = pki_.issue({.key = "ed25519", .common_name = "of another kind"});
  file.add(edwards);
  testing::write_file(home_ / "broken.pem", "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n");
  file.add_certificate(home_ / "broken.pem");
  file.add(ec_);
  const StoreContents contents = read(*store_at(file.path()));
  EXPECT_TRUE(key_of(contents, ec_));
  EXPECT_THAT(problems_of(contents), AllOf(HasSubstr("a certificate is passed over"),
                                           HasSubstr("of another kind\" is passed over: Ed25519 keys cannot be used")));
}

TEST_F(KeychainStoreTest, HandsOnWhatMacOsSays) {
  KeychainFile file = keychain();
  file.add(ec_);
  const auto store = store_at(file.path());
  for (const char* function : {"SecKeychainOpen", "SecKeychainGetStatus", "SecItemCopyMatching"}) {
    security_double_fail(function, -25291, 1);
    const auto failed = store->read();
    ASSERT_FALSE(failed) << function;
    EXPECT_EQ(failed.error().code, ErrorCode::kBusy) << function;
    EXPECT_THAT(failed.error().message, HasSubstr(file.path().string())) << function;
  }
}

TEST_F(KeychainStoreTest, TakesOverWhatDidNotChange) {
  KeychainFile file = keychain();
  file.add(rsa_);
  const auto store = store_at(file.path());
  const StoreContents first = settled(*store);
  const StoreContents second = settled(*store);
  EXPECT_EQ(key_of(first, rsa_), key_of(second, rsa_));
  ASSERT_TRUE(first.version && second.version);
  EXPECT_EQ(*first.version, store->version());
}

TEST_F(KeychainStoreTest, VersionAsksMacOsNothing) {
  KeychainFile file = keychain();
  file.add(rsa_);
  const auto store = store_at(file.path());
  settled(*store);
  const std::size_t searches = security_double_calls("SecItemCopyMatching");
  const std::size_t states = security_double_calls("SecKeychainGetStatus");
  for (int i = 0; i < 100; ++i) store->version();
  EXPECT_EQ(security_double_calls("SecItemCopyMatching"), searches);
  EXPECT_EQ(security_double_calls("SecKeychainGetStatus"), states);
}

TEST_F(KeychainStoreTest, SeesARenewal) {
  KeychainFile file = keychain();
  file.add(rsa_);
  const auto store = store_at(file.path());
  const StoreContents before = settled(*store);
  const auto held = key_of(before, rsa_);
  ASSERT_TRUE(before.version && held);
  ASSERT_TRUE(sign(*held));
  file.add(ec_);
  file.remove(rsa_);
  EXPECT_FALSE(store->version() == *before.version);
  const StoreContents after = read(*store);
  EXPECT_TRUE(key_of(after, ec_));
  EXPECT_FALSE(key_of(after, rsa_));
  EXPECT_TRUE(sign(*held)) << "a session may still hold it";
}

TEST_F(KeychainStoreTest, TheNewFormOfAFileIsSeenWhenItComes) {
  KeychainFile older = keychain("agent.keychain");
  older.add(rsa_);
  const auto store = store_at(place("agent.keychain"));
  const StoreContents before = settled(*store);
  ASSERT_TRUE(before.version);
  KeychainFile newer = keychain("agent.keychain-db");
  newer.add(ec_);
  EXPECT_FALSE(store->version() == *before.version);
  EXPECT_TRUE(key_of(read(*store), ec_));
}

TEST_F(KeychainStoreTest, AThousandRefreshesLeaveNothingBehind) {
  KeychainFile file = keychain();
  file.add(ec_);
  const auto store = store_at(file.path());
  StoreContents contents = read(*store);
  ASSERT_TRUE(sign(*contents.keys.at(0)));
  contents = read(*store);
  const std::size_t before = security_double_live_objects();
  for (int i = 0; i < 1000; ++i) contents = read(*store);
  EXPECT_EQ(security_double_live_objects(), before);
}

TEST_F(KeychainStoreTest, TheUsualPlacesInTheirOrder) {
  write_search_list({"user " + place("login.keychain-db"), "user " + place("jumpcloud-device-trust-keychain-db"),
                     "system " + place("System.keychain")});
  const auto source = keychain_usual_places({});
  EXPECT_THAT(locations(*source), ElementsAre(place("jumpcloud-device-trust-keychain"), place("duo-auth.keychain"),
                                              place("login.keychain-db"), place("System.keychain"), kDataProtection));
  EXPECT_THAT(source->problems(), IsEmpty());
  EXPECT_FALSE(source->explicitly_configured());
}

TEST_F(KeychainStoreTest, TheSearchListIsListedAgainWhenItChanges) {
  const auto source = keychain_usual_places({});
  const auto before = source->stores();
  EXPECT_FALSE(source->changed());
  write_search_list({"user " + place("added.keychain-db")});
  EXPECT_TRUE(source->changed());
  const auto after = source->stores();
  EXPECT_FALSE(source->changed());
  ASSERT_EQ(after.size(), before.size() + 1);
  EXPECT_EQ(after.front(), before.front()) << "what stays keeps its object";
  EXPECT_EQ(after.back(), before.back());
}

TEST_F(KeychainStoreTest, ASearchListThatCannotBeReadIsSaidSo) {
  const auto source = keychain_usual_places({});
  security_double_fail("SecKeychainCopyDomainSearchList", -25291, 1);
  EXPECT_EQ(source->stores().size(), 3U);
  ASSERT_EQ(source->problems().size(), 1U);
  EXPECT_THAT(source->problems()[0].message, HasSubstr("the user's list of keychains cannot be read"));
}

TEST_F(KeychainStoreTest, JumpCloudsKeychainIsFoundUnderBothNames) {
  for (const char* name : {"jumpcloud-device-trust-keychain", "jumpcloud-device-trust-keychain-db"}) {
    KeychainFile file = keychain(name);
    file.add(ec_);
    Catalog catalog(
        [] {
          std::vector<std::unique_ptr<StoreSource>> sources;
          sources.push_back(keychain_usual_places({}));
          return sources;
        }(),
        built_in_profiles());
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto current = catalog.snapshot()->current("jumpcloud", now);
    ASSERT_TRUE(current) << name << ": " << current.error().message;
    EXPECT_TRUE((*current)->chain.complete);
    EXPECT_TRUE(sign(*(*current)->key));
    std::filesystem::remove(file.path());
  }
}

TEST_F(KeychainStoreTest, TheDataProtectionKeychainIsClosedToMostPrograms) {
  const auto store = keychain_usual_places({})->stores().back();
  const auto closed = store->read();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, ErrorCode::kNotFound);
  const std::size_t before = security_double_calls("SecItemCopyMatching");
  EXPECT_FALSE(store->read());
  store->version();
  EXPECT_EQ(security_double_calls("SecItemCopyMatching"), before) << "which does not change while it runs";
}

TEST_F(KeychainStoreTest, TheDataProtectionKeychainIsLookedIntoForChanges) {
  KeychainFile file = keychain("data-protection");
  file.add(ec_);
  const auto store = keychain_usual_places({})->stores().back();
  const StoreContents before = settled(*store);
  ASSERT_TRUE(before.version);
  EXPECT_TRUE(key_of(before, ec_));
  file.add(rsa_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (store->version() == *before.version) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_TRUE(key_of(read(*store), rsa_));
}

TEST_F(KeychainStoreTest, AForkedChildIsToldAndCallsNothing) {
  KeychainFile file = keychain();
  file.add(ec_);
  const auto store = store_at(file.path());
  const StoreContents before = settled(*store);
  const auto source = keychain_usual_places({});
  const auto listed = source->stores();
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    const auto failed = store->read();
    const bool told =
        !failed && failed.error().code == ErrorCode::kIo && failed.error().message.find("forked") != std::string::npos;
    const bool differs = !(store->version() == *before.version);
    const auto own = keychain_usual_places({});
    _exit(told && differs && !own->stores().empty() && !own->stores().front()->read() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace devtrust
