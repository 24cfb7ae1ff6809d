// Windows' texts are UTF-16 at its edges; inside they are UTF-8 everywhere.
#pragma once

#include <string>
#include <string_view>

namespace devtrust {

/// What is no valid UTF-8, or UTF-16, becomes U+FFFD.
std::wstring to_utf16(std::string_view text);
std::string to_utf8(std::wstring_view text);

}  // namespace devtrust
