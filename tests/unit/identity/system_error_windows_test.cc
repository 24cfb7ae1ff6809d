#include "identity/system_error_windows.h"

#include <gtest/gtest.h>
#include <windows.h>

namespace devtrust {
namespace {

TEST(SystemMessage, IsPartOfASentence) {
  for (const DWORD code : {DWORD{ERROR_FILE_NOT_FOUND}, DWORD{ERROR_ACCESS_DENIED}, DWORD{ERROR_DISK_FULL}}) {
    const std::string message = system_message(code);
    ASSERT_FALSE(message.empty());
    EXPECT_TRUE(message.front() >= 'A' && message.front() <= 'Z') << message;
    EXPECT_TRUE(message.back() >= 'a' && message.back() <= 'z') << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(SystemMessage, IsTheNumberWhereThereAreNoWords) { EXPECT_EQ(system_message(0xE0001234U), "error 0xE0001234"); }

}  // namespace
}  // namespace devtrust
