// DEVTRUST_TRACE: what happens, for the person who looks into a problem. Never a PIN, a key or signed data.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

namespace devtrust {

/// Where traces go: a path, "1" for standard error, empty for nowhere. DEVTRUST_TRACE, where it may be believed, wins.
/// A file is created 0600, is appended to, and is not opened through a link. Thread-safe; may be called again.
void set_trace(const std::string& destination);

namespace internal {
extern std::atomic<bool> trace_on;
}
/// Ask before building a line: one relaxed load.
inline bool trace_enabled() { return internal::trace_on.load(std::memory_order_relaxed); }

/// Writes one line with time, process and thread; control characters are escaped. Thread-safe; a failed write is
/// ignored.
void trace(std::string_view line);

}  // namespace devtrust
