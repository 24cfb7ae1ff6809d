// The audit line: one for each use of a private key, never what was signed.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "identity/result.h"
#include "identity/snapshot.h"

namespace devtrust {

/// Thread-safe.
class Audit {
 public:
  /// `destination` as Config::audit; empty: nothing is written. A file is created 0600, appended to, not through a
  /// link.
  Audit(std::string destination, bool required);
  ~Audit();

  /// `operation`: "sign", "decrypt" or "derive"; `mechanism`: the caller's name for it. Call before the key is used. An
  /// error (kAuditFailed) comes back only where audit is required; otherwise it goes to the trace.
  Result<void> record(std::string_view operation, const Identity& identity, std::string_view mechanism) const;
  bool enabled() const;

  /// Whether a line could be written now, without writing one. A file that is missing is made.
  Result<void> probe() const;

 private:
  struct Sink;
  std::unique_ptr<Sink> sink_;
  bool required_;
};

}  // namespace devtrust
