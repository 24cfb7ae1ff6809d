// A certificate's name, dates and spans of time in a person's words.
#pragma once

#include <string>

#include "identity/certificate.h"

namespace devtrust {

/// The common name, or the whole subject where it has none.
std::string name_of(const Certificate& certificate);
/// "2026-11-24", in UTC.
std::string date_text(Time time);
/// "12 days", "1 hour": rounded down, one minute at least.
std::string span_text(std::chrono::seconds span);

}  // namespace devtrust
