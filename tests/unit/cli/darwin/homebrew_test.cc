#include "cli/homebrew.h"

#include <gtest/gtest.h>

namespace devtrust::cli {
namespace {

TEST(Homebrew, APathOutlivesTheVersion) {
  EXPECT_EQ(lasting_path("/opt/homebrew/Cellar/devtrust/0.1.0/bin"), "/opt/homebrew/opt/devtrust/bin");
  EXPECT_EQ(lasting_path("/usr/local/Cellar/devtrust/0.1.0_1"), "/usr/local/opt/devtrust");
  for (const char* other : {"/usr/local/bin", "/opt/homebrew/Cellar/devtrust", "/opt/homebrew/Cellar/", ""})
    EXPECT_EQ(lasting_path(other), other);
}

TEST(Homebrew, AProgramIsInOnePrefixOrNone) {
  EXPECT_EQ(package_prefix("/opt/homebrew/bin/ssh"), "/opt/homebrew");
  EXPECT_EQ(package_prefix("/usr/local/opt/openssh/bin/ssh"), "/usr/local");
  EXPECT_EQ(package_prefix("/opt/local/bin/ssh"), "/opt/local");
  for (const char* other : {"/usr/bin/ssh", "/usr/localized/bin/ssh", ""}) EXPECT_EQ(package_prefix(other), "");
}

}  // namespace
}  // namespace devtrust::cli
