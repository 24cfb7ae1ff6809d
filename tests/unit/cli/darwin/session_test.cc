#include "cli/setup/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/command.h"
#include "tests/support/variable.h"

namespace devtrust::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;

TEST(Session, AVariableIsInTheShellsFileAlone) {
  const devtrust::testing::TempDir home;
  const devtrust::testing::Variable where("HOME", home.path().string());
  const devtrust::testing::Variable shell("SHELL", "/bin/zsh");
  const MarkedBlock block("openssl");
  Plan plan;
  ASSERT_TRUE(put_into_session(plan, block, "OPENSSL_CONF", "/Users/a b/openssl.cnf"));
  ASSERT_EQ(plan.changes.size(), 1U);
  EXPECT_EQ(plan.changes[0].path, (home / ".zprofile").string());
  EXPECT_NE(plan.changes[0].after->find("\nexport OPENSSL_CONF=\"/Users/a b/openssl.cnf\"\n"), std::string::npos);
  EXPECT_THAT(plan.notes, ElementsAre(EndsWith("launchctl setenv OPENSSL_CONF \"/Users/a b/openssl.cnf\"")));

  ASSERT_TRUE(apply(plan.changes[0]));
  Plan back;
  ASSERT_TRUE(take_from_session(back, block));
  ASSERT_EQ(back.changes.size(), 1U);
  EXPECT_FALSE(back.changes[0].after);
}

}  // namespace
}  // namespace devtrust::cli
