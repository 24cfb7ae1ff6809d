#include "pkcs11/instance.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/pkcs11/instance_fixture.h"

namespace devtrust::pkcs11 {
namespace {

using testing::InstanceTest;

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

TEST_F(InstanceTest, AThreadMayHaveOneOfItsOwn) {
  ASSERT_TRUE(initialize());
  Library* const shared = LibraryUse().get();
  std::thread([this, shared] {
    {
      const ThreadInstance own;
      EXPECT_EQ(LibraryUse().get(), nullptr);
      EXPECT_EQ(finalize_library().error().rv, CKR_CRYPTOKI_NOT_INITIALIZED);
      ASSERT_TRUE(initialize());
      EXPECT_NE(LibraryUse().get(), nullptr);
      EXPECT_NE(LibraryUse().get(), shared);
      EXPECT_EQ(store_.use_count(), 3);
    }
    EXPECT_EQ(store_.use_count(), 2) << "what was left has ended";
    EXPECT_EQ(LibraryUse().get(), shared);
  }).join();
  EXPECT_EQ(LibraryUse().get(), shared);
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

}  // namespace
}  // namespace devtrust::pkcs11
