#include <gtest/gtest.h>

#include "identity/utf16.h"

namespace devtrust {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

TEST(Utf16, SaysTheSame) {
  EXPECT_EQ(to_utf16(""), L"");
  EXPECT_EQ(to_utf8(L""), "");
  EXPECT_EQ(to_utf16("JumpCloud \xE2\x80\x93 Gr\xC3\xB6\xC3\x9F\x65"),
            L"JumpCloud \x2013 Gr\x00F6\x00DF"
            L"e");
  EXPECT_EQ(to_utf8(L"\x65E5\x672C"), "\xE6\x97\xA5\xE6\x9C\xAC");
  EXPECT_EQ(to_utf16("\xF0\x9F\x94\x91"), L"\xD83D\xDD11") << "two units";
  EXPECT_EQ(to_utf8(L"\xD83D\xDD11"), "\xF0\x9F\x94\x91");
  EXPECT_EQ(to_utf16("a\0b"s), L"a\0b"s);
  EXPECT_EQ(to_utf8(L"a\0b"s), "a\0b"s);
  const std::string text(100'000, 'x');
  EXPECT_EQ(to_utf8(to_utf16(text)), text);
}

TEST(Utf16, MarksWhatIsNoText) {
  EXPECT_EQ(to_utf16("a\xFFz"), L"a\xFFFDz");
  EXPECT_TRUE(to_utf16("a\xC3").starts_with(L"a\xFFFD")) << "cut short";
  EXPECT_EQ(to_utf8(L"a\xD83Dz"), "a\xEF\xBF\xBDz") << "half a pair";
  EXPECT_EQ(to_utf8(L"\xDD11"), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace devtrust
