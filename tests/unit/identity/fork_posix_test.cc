#include "identity/fork.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace devtrust {
namespace {

bool in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ForkNumber, IsRaisedInEachChild) {
  const std::uint64_t mine = fork_number();
  EXPECT_TRUE(in_child([mine] {
    const std::uint64_t its = fork_number();
    return its > mine && in_child([its] { return fork_number() > its; });
  }));
  EXPECT_EQ(fork_number(), mine);
}

TEST(ForkHold, IsFreeInTheChildAndStaysTheParents) {
  const ForkHold hold;
  EXPECT_TRUE(in_child([] {  // forked while this thread holds it
    const ForkHold its;
    return in_child([] {
      const ForkHold its_childs;
      return true;
    });
  }));
}

#ifndef DEVTRUST_SANITIZED  // to ThreadSanitizer, the parent's threads are leaks of such a child
std::atomic<bool> about_to_fork{false};
std::atomic<bool> forked{false};

TEST(ForkHold, AForkWaitsForTheOtherThreads) {
  (void)fork_number();  // our handler is older than the test's, so that the test's comes first before a fork
  ASSERT_EQ(pthread_atfork([] { about_to_fork = true; }, [] { forked = true; }, nullptr), 0);
  std::atomic<bool> inside{false};
  std::atomic<bool> out{false};
  std::thread other([&] {
    const ForkHold hold;
    const ForkHold again;
    inside = true;
    while (!about_to_fork) sched_yield();
    // Time enough for a fork that does not wait, and far less than one that waits gives itself.
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    while (!forked && std::chrono::steady_clock::now() < end) sched_yield();
    out = true;
  });
  while (!inside) sched_yield();
  EXPECT_TRUE(in_child([&out] { return out.load(); }));
  other.join();
}

TEST(ForkHold, ManyThreadsHoldAndFork) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&stop] {
      while (!stop) {
        const ForkHold hold;
        sched_yield();
      }
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([] {
      for (int n = 0; n < 50; ++n) {
        EXPECT_TRUE(in_child([] {
          const ForkHold its;
          return true;
        }));
      }
    });
  }
  for (std::size_t i = 4; i < threads.size(); ++i) threads[i].join();
  stop = true;
  for (int i = 0; i < 4; ++i) threads[static_cast<std::size_t>(i)].join();
}
#endif

}  // namespace
}  // namespace devtrust
