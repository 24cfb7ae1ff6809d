// Windows' own words for its error codes.
#pragma once

#include <cstdint>
#include <string>

namespace devtrust {

/// Of GetLastError's codes and of HRESULTs; the number where Windows has no text for it.
std::string system_message(std::uint32_t code);

}  // namespace devtrust
