#include <gtest/gtest.h>
#include <windows.h>

#include "identity/bytes.h"
#include "identity/pages.h"

namespace devtrust {
namespace {

TEST(SecureBytes, ArePagesOfTheirOwn) {
  const SecureBytes secret(100, 0x77);
  MEMORY_BASIC_INFORMATION memory{};
  ASSERT_NE(VirtualQuery(secret.data(), &memory, sizeof memory), 0U);
  EXPECT_EQ(memory.AllocationBase, secret.data());
  EXPECT_EQ(memory.Protect, DWORD{PAGE_READWRITE});
}

TEST(SecureBytes, LargeOnesAreGivenBack) {
  void* memory = secure_allocate(10 * page_size());
  secure_free(memory, 10 * page_size());
  MEMORY_BASIC_INFORMATION freed{};
  ASSERT_NE(VirtualQuery(memory, &freed, sizeof freed), 0U);
  EXPECT_EQ(freed.State, DWORD{MEM_FREE});
}

}  // namespace
}  // namespace devtrust
