// Metrics in Prometheus's text format, as a textfile collector reads them.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "identity/certificate.h"

namespace devtrust::cli {

class Metrics {
 public:
  struct Certificate {
    std::string_view profile, sha256, store;
    bool current = false;
    Time not_before, not_after, renewal_due;
  };

  explicit Metrics(Time now);
  /// `user`: empty for the one who asks, whose metrics have no such label.
  void add_status(std::string_view user, std::string_view profile, int code);
  void add_certificate(std::string_view user, const Certificate& certificate);
  std::string text() const;

 private:
  std::array<std::string, 7> samples_;  ///< of each metric
  std::set<std::string> seen_;          ///< one line twice, and the collector refuses the whole file
};

}  // namespace devtrust::cli
