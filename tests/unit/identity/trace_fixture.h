// A trace's file.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "identity/trace.h"
#include "tests/support/command.h"
#include "tests/support/variable.h"

namespace devtrust::testing {

class Trace : public ::testing::Test {
 protected:
  ~Trace() override { set_trace(""); }
  const Variable no_trace_{"DEVTRUST_TRACE", std::nullopt};
  const TempDir folder_;
  const std::string file_ = (folder_ / "trace").string();
};

}  // namespace devtrust::testing
