// The operating system's own logs, as places for the audit line.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "identity/result.h"

namespace devtrust {

/// How destinations that are no files begin: "syslog:" and "journal:", or "eventlog:".
std::span<const std::string_view> audit_services();

/// `destination` begins with one of those. No line: only sees whether one could be written. Thread-safe; does not wait.
Result<void> send_to_audit_service(const std::string& destination, const std::optional<std::string>& line);

}  // namespace devtrust
