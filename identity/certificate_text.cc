#include "identity/certificate_text.h"

#include <algorithm>

namespace devtrust {

std::string name_of(const Certificate& certificate) {
  return certificate.common_name().empty() ? certificate.subject_text() : certificate.common_name();
}

std::string date_text(Time time) {
  const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(time)};
  const auto two = [](unsigned value) {
    return std::string{static_cast<char>('0' + value / 10), static_cast<char>('0' + value % 10)};
  };
  return std::to_string(static_cast<int>(date.year())) + '-' + two(static_cast<unsigned>(date.month())) + '-' +
         two(static_cast<unsigned>(date.day()));
}

std::string span_text(std::chrono::seconds span) {
  const auto text = [](std::int64_t count, const char* unit) {
    return std::to_string(count) + ' ' + unit + (count == 1 ? "" : "s");
  };
  if (span >= std::chrono::days(1)) return text(span / std::chrono::days(1), "day");
  if (span >= std::chrono::hours(1)) return text(span / std::chrono::hours(1), "hour");
  return text(std::max<std::int64_t>(1, span / std::chrono::minutes(1)), "minute");
}

}  // namespace devtrust
