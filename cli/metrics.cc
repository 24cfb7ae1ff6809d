#include "cli/metrics.h"

#include <fmt/format.h>

#include "cli/output.h"

namespace devtrust::cli {
namespace {

struct Metric {
  const char *name, *help;
};

constexpr std::size_t kFirstOfCertificate = 3;
constexpr std::array<Metric, 7> kMetrics{{
    {"devtrust_info", "Version of devtrust."},
    {"devtrust_report_timestamp_seconds", "When this report was made."},
    {"devtrust_status", "0 usable, 2 not found, 3 expired, 4 renewal overdue, 5 locked, 6 misconfigured, 7 no answer."},
    {"devtrust_certificate_current", "1 for the certificate that is used now."},
    {"devtrust_certificate_not_before_timestamp_seconds", "When the certificate becomes valid."},
    {"devtrust_certificate_not_after_timestamp_seconds", "When the certificate expires."},
    {"devtrust_certificate_renewal_due_timestamp_seconds", "When the agent should have renewed the certificate."},
}};

/// A label's value as the text format escapes it.
std::string label(std::string_view value) {
  std::string text;
  for (const char c : printable(value)) {
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text;
}

std::string user_label(std::string_view user) {
  return user.empty() ? std::string() : fmt::format("user=\"{}\",", label(user));
}

std::int64_t seconds(Time time) { return time.time_since_epoch().count(); }

}  // namespace

Metrics::Metrics(Time now) {
  samples_[0] = fmt::format("{}{{version=\"{}\"}} 1\n", kMetrics[0].name, DEVTRUST_VERSION);
  samples_[1] = fmt::format("{} {}\n", kMetrics[1].name, seconds(now));
}

void Metrics::add_status(std::string_view user, std::string_view profile, int code) {
  samples_[2] += fmt::format("{}{{{}profile=\"{}\"}} {}\n", kMetrics[2].name, user_label(user), label(profile), code);
}

void Metrics::add_certificate(std::string_view user, const Certificate& certificate) {
  const std::string labels =
      fmt::format("{{{}profile=\"{}\",sha256=\"{}\",store=\"{}\"}}", user_label(user), label(certificate.profile),
                  label(certificate.sha256), label(certificate.store));
  if (!seen_.insert(labels).second) return;
  const std::array<std::int64_t, 4> values{certificate.current ? 1 : 0, seconds(certificate.not_before),
                                           seconds(certificate.not_after), seconds(certificate.renewal_due)};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t metric = kFirstOfCertificate + i;
    samples_.at(metric) += fmt::format("{}{} {}\n", kMetrics.at(metric).name, labels, values.at(i));
  }
}

std::string Metrics::text() const {
  std::string text;
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    if (samples_.at(i).empty()) continue;
    text +=
        fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", kMetrics.at(i).name, kMetrics.at(i).help) + samples_.at(i);
  }
  return text;
}

}  // namespace devtrust::cli
