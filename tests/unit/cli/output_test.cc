#include "cli/output.h"

#include <gtest/gtest.h>

namespace devtrust::cli {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

TEST(Printable, LeavesTextAlone) {
  for (const char* text : {"", "plain", "JumpCloud – Größe", "日本", "\xF0\x9F\x94\x91", "100%"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, ShowsWhatWouldMoveOrHide) {
  EXPECT_EQ(printable("a\nb\r\x1b[2J\x7f\0z"s), "a\\u{000a}b\\u{000d}\\u{001b}[2J\\u{007f}\\u{0000}z");
  // NOLINTNEXTLINE(misc-misleading-bidirectional): that is what is tested
  EXPECT_EQ(printable("\xC2\x85\xC2\x9B\xE2\x80\xAE\xE2\x80\xA8\xE2\x81\xA6\xEF\xBB\xBF"),
            "\\u{0085}\\u{009b}\\u{202e}\\u{2028}\\u{2066}\\u{feff}");
}

TEST(Printable, ShowsWhatNobodySees) {
  EXPECT_EQ(printable("a\xE2\x80\x8B\xC2\xAD\xE2\x81\xA0\xEF\xBF\xB9\xE3\x85\xA4\xF3\xA0\x81\x81z"),
            "a\\u{200b}\\u{00ad}\\u{2060}\\u{fff9}\\u{3164}\\u{e0041}z");
}

TEST(Wrapped, CountsColumns) {
  const std::string wide = "日本日本日本日本日本日本日本日本日本日本";  // 20 letters of two columns each
  EXPECT_EQ(wrapped(wide + ' ' + wide, 0), wide + '\n' + wide + '\n');
  EXPECT_EQ(wrapped(std::string(39, 'a') + ' ' + wide, 0), std::string(39, 'a') + ' ' + wide + '\n');
  EXPECT_EQ(wrapped(std::string(40, 'a') + ' ' + wide, 0), std::string(40, 'a') + '\n' + wide + '\n');
  const std::string marked(39, 'b');
  EXPECT_EQ(wrapped(std::string(40, 'a') + ' ' + marked + "\xCC\x88", 0),
            std::string(40, 'a') + ' ' + marked + "\xCC\x88\n");
}

TEST(Printable, ShowsWhatIsNoUtf8) {
  EXPECT_EQ(printable("\xff"), "\\x{ff}");
  EXPECT_EQ(printable("a\xC3"), "a\\x{c3}");                      // cut short
  EXPECT_EQ(printable("\xC0\x8A"), "\\x{c0}\\x{8a}");             // overlong
  EXPECT_EQ(printable("\xE0\x80\x8A"), "\\x{e0}\\x{80}\\x{8a}");  // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\x{ed}\\x{a0}\\x{80}");  // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\x{f4}\\x{90}\\x{80}\\x{80}");
}

TEST(PercentEscaped, IsOneLineAndCanBeReadBack) {
  EXPECT_EQ(percent_escaped("CN=a – b"), "CN=a – b");
  EXPECT_EQ(percent_escaped("a%\n[GNUPG:] GOODSIG"), "a%25%0A[GNUPG:] GOODSIG");
  // NOLINTNEXTLINE(misc-misleading-bidirectional): that is what is tested
  EXPECT_EQ(percent_escaped("\xE2\x80\xAE\xff"), "%E2%80%AE%FF");
}

}  // namespace
}  // namespace devtrust::cli
