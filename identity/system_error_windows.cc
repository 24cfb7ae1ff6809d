#include "identity/system_error_windows.h"

#include <windows.h>

#include <array>
#include <cstdio>

#include "identity/utf16.h"

namespace devtrust {

std::string system_message(std::uint32_t code) {
  std::array<wchar_t, 512> text{};
  // In English, as all that we say; Windows in another language may have only its own.
  constexpr DWORD kFlags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
  DWORD length = 0;
  for (const DWORD language : {DWORD{MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US)}, DWORD{0}}) {
    length = FormatMessageW(kFlags, nullptr, code, language, text.data(), static_cast<DWORD>(text.size()), nullptr);
    if (length != 0) break;
  }
  std::string words = to_utf8({text.data(), length});
  while (!words.empty() && (words.back() == ' ' || words.back() == '.')) words.pop_back();
  if (!words.empty()) return words;
  std::array<char, 24> number{};
  static_cast<void>(std::snprintf(number.data(), number.size(), "error 0x%08lX", static_cast<unsigned long>(code)));
  return number.data();
}

}  // namespace devtrust
