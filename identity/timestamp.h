// The time as text, for the trace and the audit line.
#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <string>

namespace devtrust {

/// Now in UTC, as ISO 8601 with microseconds. The C library's calendar takes a lock that a fork can leave locked in the
/// child, so it is not asked.
inline std::string utc_timestamp() {
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  const auto midnight = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss time(now - midnight);
  std::array<char, 48> text{};
  static_cast<void>(std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
                                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                  static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                                  static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                                  static_cast<int>(time.subseconds().count())));
  return text.data();
}

}  // namespace devtrust
