// How long a certificate is still good, in a person's words.
#pragma once

#include <string>

#include "identity/certificate.h"

namespace devtrust::cli {

/// When an agent should have renewed it: after two thirds of its life. (JumpCloud's does so after 14 of 30 days.)
Time renewal_due(const Certificate& certificate);
/// "valid 12 more days, renewal due in about 2", "expired 3 days ago (2026-11-21)", …
std::string validity_text(const Certificate& certificate, Time now);

/// "2026-11-24 02:10:00 UTC"
std::string time_text(Time time);

}  // namespace devtrust::cli
