#include "identity/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace devtrust {
namespace {

TEST(Bytes, Hex) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0x0F, 0xA5, 0xFF}), "000fa5ff");
  EXPECT_EQ(to_hex({}), "");
}

TEST(SecureBytes, TwoSecretsNeverShareAPage) {
  const SecureBytes a(1);
  const SecureBytes b(1);
  EXPECT_NE(reinterpret_cast<std::uintptr_t>(a.data()) / 4096, reinterpret_cast<std::uintptr_t>(b.data()) / 4096);
}

TEST(SecureBytes, FreedPagesAreWiped) {
  std::vector<std::uint8_t*> pages;
  for (int i = 0; i < 20; ++i) pages.push_back(static_cast<std::uint8_t*>(secure_allocate(100)));
  for (std::uint8_t* page : pages) {
    std::memset(page, 0x77, 100);
    secure_free(page, 100);
  }
  for (std::uint8_t*& page : pages) {
    page = static_cast<std::uint8_t*>(secure_allocate(100));
    // but for the note at its end, whether it is locked
    EXPECT_TRUE(std::all_of(page, page + 4096 - sizeof(std::uint64_t), [](std::uint8_t octet) { return octet == 0; }));
  }
  for (std::uint8_t* page : pages) secure_free(page, 100);
}

TEST(SecureBytes, ImpossibleSizesThrow) {
  EXPECT_THROW(secure_allocate(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(secure_allocate(SIZE_MAX / 2), std::bad_alloc);
}

}  // namespace
}  // namespace devtrust
