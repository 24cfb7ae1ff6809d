// A line of `doctor`.
#pragma once

#include <cstdint>
#include <string>

namespace devtrust::cli {

enum class Finding : std::uint8_t {
  kOk,
  kProblem,
  kOff,  // not set up, which is nobody's fault
};

struct Line {
  Finding finding;
  std::string subject;  // "store", "jumpcloud", "git", …
  std::string message;
  std::string cure;  // what to do; empty where the message says it, or nothing is to do
};

}  // namespace devtrust::cli
