// `devtrust list` and `devtrust status`: what is there, and whether it can be used.
#pragma once

#include <string>

namespace devtrust::cli {

/// Exit codes of `devtrust status`; 1 is a usage error.
enum class State : int {
  kUsable = 0,
  kNotFound = 2,
  kExpired = 3,
  kOverdue = 4,
  kLocked = 5,
  kMisconfigured = 6,
  kNoAnswer = 7  ///< with --all-users: this user's process gave none
};

enum class Format : std::uint8_t { kText, kJson, kPrometheus };

/// Each returns the process's exit code. `profile`: empty for the first one that has a current certificate.
int list(Format format);
int status(const std::string& profile, Format format);

}  // namespace devtrust::cli
