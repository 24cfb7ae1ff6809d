#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "identity/process.h"
#include "tests/support/this_program.h"
#include "tests/support/variable.h"

namespace devtrust {
namespace {

using testing::Variable;

std::string home_in_password_database() { return getpwuid(getuid())->pw_dir; }

TEST(ProgramName, IsTheFiles) { EXPECT_EQ(program_name(), testing::this_program().filename().string()); }

TEST(HomeDirectory, FallsBackToThePasswordDatabase) {
  for (const std::optional<std::string>& value :
       {std::optional<std::string>(), std::optional<std::string>(""), std::optional<std::string>("relative")}) {
    const Variable home("HOME", value);
    EXPECT_EQ(home_directory(), home_in_password_database());
  }
}

TEST(ConfigHome, IsXdgsOrBelowHome) {
  const Variable home("HOME", "/home/someone");
  const Variable config("XDG_CONFIG_HOME", "/elsewhere");
  EXPECT_EQ(config_home(), "/elsewhere");
  const Variable relative("XDG_CONFIG_HOME", "elsewhere");
  EXPECT_EQ(config_home(), "/home/someone/.config");
}

TEST(Process, IsNumberedAsTheSystemDoes) {
  EXPECT_EQ(process_id(), static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(user_id(), std::to_string(getuid()));
}

}  // namespace
}  // namespace devtrust
