// The provider in a process that forks.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "tests/provider/life.h"

namespace devtrust::testing {
namespace {

// As a pre-forking server does it: the master loads the key, the workers sign, and the store may be out of their reach.
TEST_F(Life, KeyLoadedInTheParentSignsInItsChildren) {
  write_file(store_.config(), "audit = \"" + (store_ / "audit").string() + "\"\n" + read_file(store_.config()));
  const Host host(store_.config());
  const EvpPkeyPtr key = host.key();
  const EvpPkeyPtr judge = host.public_key(store_.leaf().certificate);
  for (const bool used_before : {false, true}) {
    if (used_before) {
      EXPECT_TRUE(signs(host.context(), key.get(), judge.get()));
    }
    const std::filesystem::path hidden = store_ / "hidden.toml";
    std::filesystem::rename(store_.config(), hidden);
    for (int child = 0; child < 3; ++child) {
      const pid_t pid = fork();
      if (pid == 0) _exit(signs(host.context(), key.get(), judge.get()) ? 0 : 1);
      int status = -1;
      ASSERT_EQ(waitpid(pid, &status, 0), pid);
      EXPECT_EQ(status, 0);
    }
    std::filesystem::rename(hidden, store_.config());
    const pid_t pid = fork();
    if (pid == 0) _exit(signs(host.context(), host.key().get(), judge.get()) ? 0 : 1);  // looks the key up itself
    int status = -1;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_TRUE(signs(host.context(), key.get(), judge.get()));
  const std::string audit = read_file(store_ / "audit");
  EXPECT_EQ(std::ranges::count(audit, '\n'), 10);
}

}  // namespace
}  // namespace devtrust::testing
