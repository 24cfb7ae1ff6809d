// A process with other rights than its user's, and the names that it gives itself.
#include <gtest/gtest.h>
#include <pwd.h>
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
using testing::Variable;

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
  const std::string roots_home = getpwuid(geteuid())->pw_dir;
  // As in a set-uid program that another user has started, and in a set-gid one.
  EXPECT_TRUE(in_child([&] {
    return setresuid(kOtherUser, 0, 0) == 0 && raised_privileges() && environment("HOME").empty() &&
           home_directory() == roots_home && config_home() == roots_home + "/.config";
  }));
  EXPECT_TRUE(in_child([] { return setresgid(kOtherUser, 0, 0) == 0 && raised_privileges(); }));
}

TEST(ProgramName, IsTheFilesNotWhatTheProgramCallsItself) {
  char* before = program_invocation_short_name;
  std::string liar = "liar";
  program_invocation_short_name = liar.data();
  EXPECT_EQ(program_name(), testing::this_program().filename().string());
  program_invocation_short_name = before;
}

TEST(Process, NumbersThreadsAsTheKernelDoes) { EXPECT_EQ(thread_id(), static_cast<std::uint64_t>(gettid())); }

}  // namespace
}  // namespace devtrust
