// A line of `doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

class Lines {
 public:
  void ok(const std::string& subject, std::string message) {
    all_.push_back({Finding::kOk, subject, std::move(message), {}});
  }
  void off(const std::string& subject, std::string message, std::string cure) {
    all_.push_back({Finding::kOff, subject, std::move(message), std::move(cure)});
  }
  void problem(const std::string& subject, std::string message, std::string cure = {}) {
    all_.push_back({Finding::kProblem, subject, std::move(message), std::move(cure)});
  }
  void add(std::vector<Line> lines) {
    for (Line& line : lines) all_.push_back(std::move(line));
  }
  const std::vector<Line>& all() const { return all_; }

 private:
  std::vector<Line> all_;
};

/// Of what a program says.
inline std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace devtrust::cli
