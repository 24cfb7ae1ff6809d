#include "identity/process.h"

#include <gtest/gtest.h>

#include "tests/unit/identity/surroundings.h"

namespace devtrust {
namespace {

using testing::full_path;
using testing::Variable;

TEST(Environment, GivesWhatIsSet) {
  const Variable variable("DEVTRUST_SOMETHING", "value");
  EXPECT_EQ(environment("DEVTRUST_SOMETHING"), "value");
  const Variable unset("DEVTRUST_SOMETHING", std::nullopt);
  EXPECT_EQ(environment("DEVTRUST_SOMETHING"), "");
}

TEST(ExpandHome, TakesTheTildeAtTheBeginningOnly) {
  const testing::Home home(full_path("/home/someone"));
  EXPECT_EQ(expand_home("~"), full_path("/home/someone"));
  EXPECT_EQ(expand_home("~/a/b"), full_path("/home/someone/a/b"));
  EXPECT_EQ(expand_home("~other/a"), "~other/a");
  EXPECT_EQ(expand_home("/a/~/b"), "/a/~/b");
  EXPECT_EQ(expand_home(""), "");
}

}  // namespace
}  // namespace devtrust
