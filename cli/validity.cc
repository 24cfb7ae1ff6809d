#include "cli/validity.h"

#include <fmt/format.h>

#include "identity/certificate_text.h"

namespace devtrust::cli {

using std::chrono::days;

Time renewal_due(const Certificate& certificate) {
  return certificate.not_before() + (certificate.not_after() - certificate.not_before()) / 3 * 2;
}

std::string validity_text(const Certificate& certificate, Time now) {
  if (now < certificate.not_before()) return "not valid before " + time_text(certificate.not_before());
  if (now > certificate.not_after()) {
    return fmt::format("expired {} ago ({})", span_text(now - certificate.not_after()),
                       date_text(certificate.not_after()));
  }
  const auto left = certificate.not_after() - now;
  const auto count = left / days(1);
  const std::string valid = count > 0 ? fmt::format("valid {} more day{}", count, count == 1 ? "" : "s")
                                      : "valid for another " + span_text(left);
  const auto until_due = renewal_due(certificate) - now;
  if (until_due <= std::chrono::seconds(0)) return valid + ", renewal overdue for " + span_text(-until_due);
  if (until_due < days(1)) return valid + ", renewal due today";
  return fmt::format("{}, renewal due in about {}", valid, until_due / days(1));
}

std::string time_text(Time time) {
  const std::chrono::hh_mm_ss clock(time - std::chrono::floor<days>(time));
  return fmt::format("{} {:02}:{:02}:{:02} UTC", date_text(time), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

}  // namespace devtrust::cli
