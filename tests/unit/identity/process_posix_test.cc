#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "identity/process.h"
#include "tests/support/variable.h"
#include "tests/unit/identity/other_user.h"

namespace devtrust {
namespace {

using testing::as_root;
using testing::kOtherUser;
using testing::must_run;
using testing::Variable;

std::string home_in_password_database() {
  std::string home = must_run({"sh", "-c", "getent passwd $(id -u) | cut -d: -f6"});
  home.pop_back();
  return home;
}

/// Runs `body` in a child and answers whether it said true.
bool in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Environment, IsNotBelievedWithRaisedPrivileges) {
  if (!as_root()) return;
  EXPECT_FALSE(raised_privileges());
  const Variable home("HOME", "/somewhere/else");
  const Variable config("XDG_CONFIG_HOME", "/somewhere/else/config");
  EXPECT_EQ(home_directory(), "/somewhere/else");
  const std::string roots_home = home_in_password_database();
  // As in a set-uid program that another user has started, and in a set-gid one.
  EXPECT_TRUE(in_child([&] {
    return setresuid(kOtherUser, 0, 0) == 0 && raised_privileges() && environment("HOME").empty() &&
           home_directory() == roots_home && config_home() == roots_home + "/.config";
  }));
  EXPECT_TRUE(in_child([] { return setresgid(kOtherUser, 0, 0) == 0 && raised_privileges(); }));
}

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

TEST(ProgramName, IsTheFilesNotWhatTheProgramCallsItself) {
  char* before = program_invocation_short_name;
  std::string liar = "liar";
  program_invocation_short_name = liar.data();
  EXPECT_EQ(program_name(), std::filesystem::read_symlink("/proc/self/exe").filename().string());
  program_invocation_short_name = before;
}

TEST(Process, IsNumberedAsTheSystemDoes) {
  EXPECT_EQ(process_id(), static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(thread_id(), static_cast<std::uint64_t>(gettid()));
  EXPECT_EQ(user_id(), std::to_string(getuid()));
}

}  // namespace
}  // namespace devtrust
