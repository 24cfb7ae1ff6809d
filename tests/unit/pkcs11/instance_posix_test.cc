// The library in forked children.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/pkcs11/instance_fixture.h"

namespace devtrust::pkcs11 {
namespace {

using testing::InstanceTest;

/// What `body` answers in a forked child.
template <typename Body>
int in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(InstanceTest, ChildHasToInitializeItself) {
  ASSERT_TRUE(initialize());
  const LibraryUse inside;  // counted in the parent only
  EXPECT_EQ(in_child([] { return LibraryUse().get() == nullptr; }), 0);
  EXPECT_EQ(in_child([] { return finalize_library().error().rv == CKR_CRYPTOKI_NOT_INITIALIZED; }), 0);
  EXPECT_EQ(in_child([this] {
              return initialize() && LibraryUse().get() != nullptr && !LibraryUse().get()->list_slots(true).empty() &&
                     finalize_library() && LibraryUse().get() == nullptr;
            }),
            0);
  EXPECT_NE(LibraryUse().get(), nullptr);
}

#ifndef DEVTRUST_SANITIZED  // the sanitizers' own allocators leave their locks taken in such a child
TEST_F(InstanceTest, ChildOfABusyParentFindsNoLockTaken) {
  hold({enrol()});
  ASSERT_TRUE(initialize());
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const LibraryUse use;
        Slot& slot = *use.get()->find_slot(1).value();
        (void)use.get()->view(slot);
        (void)use.get()->close_session(use.get()->open_session(slot, false));
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(in_child([this] {
                alarm(60);  // a lock taken by a thread that the child does not have would never be given back
                return initialize() && LibraryUse().get()->list_slots(true).size() == 1;
              }),
              0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}
#endif

}  // namespace
}  // namespace devtrust::pkcs11
