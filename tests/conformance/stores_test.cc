#include "tests/conformance/stores.h"

#include <gtest/gtest.h>

namespace devtrust::testing {
namespace {

// A filter that matches nothing passes.
TEST(Stores, EachHasItsCtestEntries) {
  std::string names;
  for (const Store* store : all_stores()) names += (names.empty() ? "" : " ") + store->name;
  EXPECT_EQ(names, DEVTRUST_STORES);
}

}  // namespace
}  // namespace devtrust::testing
