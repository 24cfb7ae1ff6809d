// As macOS has it: linked with backends/registry_darwin.cc.
#include "backends/registry.h"
#include "tests/unit/backends/keychain/fixture.h"

namespace devtrust {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RegistryOfMacOs : public testing::KeychainTest {
 protected:
  static Config with(std::vector<StoreConfig> stores) {
    Config config;
    config.stores = std::move(stores);
    return config;
  }
};

TEST_F(RegistryOfMacOs, WithoutStoresTheUsualKeychainsAreLookedAt) {
  const auto sources = open_sources({});
  ASSERT_TRUE(sources);
  ASSERT_EQ(sources->size(), 1U);
  EXPECT_FALSE(sources->front()->explicitly_configured());
  EXPECT_EQ(sources->front()->stores().front()->kind(), "keychain");
}

TEST_F(RegistryOfMacOs, GivesTheStoresInTheConfigurationsOrder) {
  const auto sources = open_sources(with({{"file", "/some/file.pem", "", "", false},
                                          {"keychain", "/some/a.keychain-db", "", "", false},
                                          {"keychain", "", "", "", true}}));
  ASSERT_TRUE(sources);
  ASSERT_EQ(sources->size(), 3U);
  EXPECT_EQ((*sources)[0]->stores().at(0)->kind(), "file");
  EXPECT_EQ((*sources)[1]->stores().at(0)->location(), "/some/a.keychain-db");
  EXPECT_TRUE((*sources)[1]->explicitly_configured());
  EXPECT_FALSE((*sources)[2]->explicitly_configured()) << "without a path: the usual ones";
}

TEST_F(RegistryOfMacOs, NamesTheKindsOfThisBuildWhereOneIsMissing) {
  const auto sources = open_sources(with({{"nss", "", "", "", false}}));
  ASSERT_FALSE(sources);
  EXPECT_EQ(sources.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(sources.error().message, AllOf(HasSubstr("\"nss\""), HasSubstr("keychain, file")));
}

TEST_F(RegistryOfMacOs, TakesNoPasswordForAKeychain) {
  const auto sources = open_sources(with({{"keychain", "/some/a.keychain-db", "", "file:/pin", false}}));
  ASSERT_FALSE(sources);
  EXPECT_THAT(sources.error().message, HasSubstr("pin_source"));
}

TEST_F(RegistryOfMacOs, FindsFirefoxsProfiles) {
  std::vector<Error> problems;
  EXPECT_TRUE(firefox_profile_folders(home_.path().string(), problems).empty());
  testing::write_file(home_ / "profiles.ini", "[Profile0]\nIsRelative=1\nPath=Profiles/a.default\n");
  const auto folders = firefox_profile_folders(home_.path().string(), problems);
  EXPECT_THAT(folders, ::testing::ElementsAre(home_.path().string() + "/Profiles/a.default"));
  EXPECT_TRUE(problems.empty());
}

}  // namespace
}  // namespace devtrust
