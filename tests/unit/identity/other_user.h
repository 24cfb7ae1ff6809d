// What belongs to another of POSIX's users.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/support/command.h"
#include "tests/support/this_program.h"

namespace devtrust::testing {

/// Some tests need other users' files. True: go on, as root. False: sudo has just run the test, and it passed.
inline bool as_root() {
  if (geteuid() == 0) return true;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  must_run({"sudo", "-n", this_program().string(),
            "--gtest_filter=" + std::string(test->test_suite_name()) + '.' + test->name()});
  return false;
}

constexpr unsigned kOtherUser = 65533;

}  // namespace devtrust::testing
