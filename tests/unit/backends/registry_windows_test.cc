#include "backends/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace devtrust {
namespace {

Config with(std::vector<StoreConfig> stores) {
  Config config;
  config.stores = std::move(stores);
  return config;
}

TEST(Registry, GivesTheStoresInTheConfigurationsOrder) {
  const auto sources = open_sources(with(
      {{"file", "C:/some/file.pem", "", "", false}, {"windows", "", "", "", true}, {"windows", "", "", "", false}}));
  ASSERT_TRUE(sources);
  ASSERT_EQ(sources->size(), 3U);
  const auto first = (*sources)[0]->stores();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0]->kind(), "file");
  EXPECT_EQ(first[0]->location(), "C:/some/file.pem");
  EXPECT_TRUE((*sources)[0]->explicitly_configured());
  for (const auto* source : {&(*sources)[1], &(*sources)[2]}) {
    const auto stores = (*source)->stores();
    ASSERT_EQ(stores.size(), 2U) << "the user's and the machine's";
    EXPECT_EQ(stores[0]->kind(), "windows");
    EXPECT_FALSE((*source)->explicitly_configured()) << "there are no others to name";
  }
}

TEST(Registry, NamesTheKindsOfThisBuildWhereOneIsMissing) {
  const auto sources = open_sources(with({{"keychain", "", "", "", false}}));
  ASSERT_FALSE(sources);
  EXPECT_EQ(sources.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(sources.error().message,
              ::testing::AllOf(::testing::HasSubstr("\"keychain\""), ::testing::HasSubstr("windows, file, token")));
}

TEST(Registry, RefusesAPathForWindowsStores) {
  const auto sources = open_sources(with({{"windows", "C:/somewhere", "", "", false}}));
  ASSERT_FALSE(sources);
  EXPECT_EQ(sources.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(sources.error().message, ::testing::HasSubstr("take out its path"));
}

}  // namespace
}  // namespace devtrust
