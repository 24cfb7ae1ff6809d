#include "identity/bytes.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace devtrust {
namespace {

TEST(Bytes, Hex) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0x0F, 0xA5, 0xFF}), "000fa5ff");
  EXPECT_EQ(to_hex({}), "");
}

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

TEST(SecureBytes, TwoSecretsNeverShareAPage) {
  const SecureBytes a(1);
  const SecureBytes b(1);
  EXPECT_NE(reinterpret_cast<std::uintptr_t>(a.data()) / 4096, reinterpret_cast<std::uintptr_t>(b.data()) / 4096);
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

TEST(SecureBytes, FreedPagesAreWiped) {
  std::vector<std::uint8_t*> pages;
  for (int i = 0; i < 20; ++i) pages.push_back(static_cast<std::uint8_t*>(secure_allocate(100)));
  for (std::uint8_t* page : pages) {
    std::memset(page, 0x77, 100);
    secure_free(page, 100);
  }
  for (std::uint8_t*& page : pages) {
    page = static_cast<std::uint8_t*>(secure_allocate(100));
    EXPECT_TRUE(std::all_of(page, page + 4096, [](std::uint8_t octet) { return octet == 0; }));
  }
  for (std::uint8_t* page : pages) secure_free(page, 100);
}

TEST(SecureBytes, ImpossibleSizesThrow) {
  EXPECT_THROW(secure_allocate(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(secure_allocate(SIZE_MAX / 2), std::bad_alloc);
}

}  // namespace
}  // namespace devtrust
