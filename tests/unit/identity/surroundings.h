// Environment variables and users that tests change.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/command.h"

namespace devtrust::testing {

/// Sets a variable, or unsets it, until the test ends.
class Variable {
 public:
  Variable(const char* name, const std::optional<std::string>& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Variable() { set(before_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const std::optional<std::string>& value) const {
    if (value) {
      setenv(name_, value->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  const char* name_;
  std::optional<std::string> before_;
};

/// Some tests need other users' files. True: go on, as root. False: sudo has just run the test, and it passed.
inline bool as_root() {
  if (geteuid() == 0) return true;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  must_run({"sudo", "-n", std::filesystem::read_symlink("/proc/self/exe").string(),
            "--gtest_filter=" + std::string(test->test_suite_name()) + '.' + test->name()});
  return false;
}

constexpr unsigned kOtherUser = 65533;

}  // namespace devtrust::testing
