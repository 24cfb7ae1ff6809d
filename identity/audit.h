// The audit line: one for each use of a private key, never what was signed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "identity/result.h"
#include "identity/snapshot.h"

namespace devtrust {

/// Who uses a key, where it is not this process itself.
struct KeyUser {
  std::string program;  ///< base name; "unknown" where it cannot be found out
  std::uint32_t process = 0;
  std::string user;  ///< as user_id() has it
};

/// While it lives, audit lines of this thread name `user`, who must outlive it.
class ActingFor {
 public:
  explicit ActingFor(const KeyUser& user);
  ~ActingFor();
  ActingFor(const ActingFor&) = delete;
  ActingFor& operator=(const ActingFor&) = delete;
};

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
