// Secrets' pages, as Linux's kernel knows them.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "identity/bytes.h"

namespace devtrust {
namespace {

/// The kernel's flags of the mapping that holds `address`.
std::string mapping_flags(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream range(line);
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    char dash = 0;
    if (range >> std::hex >> from >> dash >> to && dash == '-') inside = from <= wanted && wanted < to;
    if (inside && line.starts_with("VmFlags:")) return line + ' ';
  }
  return {};
}

TEST(SecureBytes, ArePagesThatAreNotDumped) {
  const SecureBytes secret(100, 0x77);
  const std::string flags = mapping_flags(secret.data());
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;  // MADV_DONTDUMP
  // the sanitizers' runtimes lock nothing
#ifndef DEVTRUST_SANITIZED
  EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;  // locked
#endif
}

#ifndef DEVTRUST_SANITIZED
TEST(SecureBytes, AreLockedInAForkedChildToo) {
  const SecureBytes before(1);  // with which others are made, and locked in this process
  const pid_t child = fork();
  if (child == 0) {
    const SecureBytes secret(1);
    _exit(mapping_flags(secret.data()).find(" lo ") != std::string::npos ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}
#endif

}  // namespace
}  // namespace devtrust
