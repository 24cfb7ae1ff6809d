#include "backends/registry.h"

#include <gtest/gtest.h>

namespace devtrust {
namespace {

TEST(Registry, WithoutStoresTheUsualPlacesAreLookedAt) {
  const auto sources = open_sources({});
  ASSERT_TRUE(sources);
  ASSERT_EQ(sources->size(), 1U);
  EXPECT_FALSE(sources->front()->explicitly_configured());
}

}  // namespace
}  // namespace devtrust
