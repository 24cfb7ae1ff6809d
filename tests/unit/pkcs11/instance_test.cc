#include "pkcs11/instance.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/pkcs11/fake_store.h"

namespace devtrust::pkcs11 {
namespace {

class InstanceTest : public testing::StoreTest {
 protected:
  ~InstanceTest() override { (void)finalize_library(); }
  Answer<> initialize() {
    return initialize_library([this] { return make_library(); });
  }
  /// The library holds the store, so its end shows in the count.
  bool library_is_gone() const { return store_.use_count() == 1; }

  /// What `body` answers in a forked child.
  template <typename Body>
  static int in_child(const Body& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body() ? 0 : 1);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
};

TEST_F(InstanceTest, IsThereBetweenInitializeAndFinalize) {
  EXPECT_EQ(LibraryUse().get(), nullptr);
  EXPECT_EQ(finalize_library().error().rv, CKR_CRYPTOKI_NOT_INITIALIZED);
  ASSERT_TRUE(initialize());
  EXPECT_NE(LibraryUse().get(), nullptr);
  EXPECT_EQ(initialize().error().rv, CKR_CRYPTOKI_ALREADY_INITIALIZED);
  EXPECT_TRUE(finalize_library());
  EXPECT_EQ(LibraryUse().get(), nullptr);
  EXPECT_TRUE(library_is_gone());
  EXPECT_TRUE(initialize());
  EXPECT_NE(LibraryUse().get(), nullptr);
}

TEST_F(InstanceTest, FailedInitializationLeavesNothing) {
  EXPECT_THROW((void)initialize_library([]() -> std::unique_ptr<Library> { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_EQ(LibraryUse().get(), nullptr);
  EXPECT_TRUE(initialize());
}

TEST_F(InstanceTest, LastCallThatIsInsideEndsTheLibrary) {
  ASSERT_TRUE(initialize());
  {
    const LibraryUse inside;
    std::thread finalizing([] { EXPECT_TRUE(finalize_library()); });
    finalizing.join();
    EXPECT_FALSE(library_is_gone());
    EXPECT_FALSE(inside.get()->list_slots(true).empty());
    EXPECT_EQ(LibraryUse().get(), nullptr);
    EXPECT_FALSE(library_is_gone()) << "a later call must not end what an earlier one uses";
    ASSERT_TRUE(initialize());
    EXPECT_NE(LibraryUse().get(), inside.get());
  }
  ASSERT_TRUE(finalize_library());
  EXPECT_TRUE(library_is_gone());
}

TEST_F(InstanceTest, FinalizesUnderLoad) {
  hold({enrol()});
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const LibraryUse use;
        if (use.get() != nullptr && !use.get()->list_slots(true).empty()) ++answered;
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(initialize());
    const int before = answered;
    while (answered == before) std::this_thread::yield();
    ASSERT_TRUE(finalize_library());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(library_is_gone());
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
