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
  const auto sources = open_sources(with({{"file", "/some/file.pem", "", "", false},
                                          {"nss", "/some/db", "", "", false},
                                          {"nss", "", "", "", false},
                                          {"token", "/some/module.so", "", "", false, "A card", ""}}));
  ASSERT_TRUE(sources);
  ASSERT_EQ(sources->size(), 4U);
  const auto first = (*sources)[0]->stores();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0]->kind(), "file");
  EXPECT_EQ(first[0]->location(), "/some/file.pem");
  EXPECT_TRUE((*sources)[0]->explicitly_configured());
  const auto second = (*sources)[1]->stores();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0]->kind(), "nss");
  EXPECT_EQ(second[0]->location(), "/some/db");
  EXPECT_TRUE((*sources)[1]->explicitly_configured());
  EXPECT_FALSE((*sources)[2]->explicitly_configured()) << "without a path: the usual places";
  EXPECT_EQ((*sources)[3]->stores().at(0)->location(), "/some/module.so (A card)");
}

TEST(Registry, NamesTheKindsOfThisBuildWhereOneIsMissing) {
  const auto sources = open_sources(with({{"keychain", "", "", "", false}}));
  ASSERT_FALSE(sources);
  EXPECT_EQ(sources.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(sources.error().message,
              ::testing::AllOf(::testing::HasSubstr("\"keychain\""), ::testing::HasSubstr("nss, file, token")));
}

}  // namespace
}  // namespace devtrust
