#include "identity/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <regex>
#include <thread>
#include <vector>

#include "identity/process.h"
#include "tests/unit/identity/trace_fixture.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::read_file;
using testing::Trace;
using testing::Variable;

TEST_F(Trace, IsOffUntilItIsAskedFor) {
  EXPECT_FALSE(trace_enabled());
  set_trace(file_);
  EXPECT_TRUE(trace_enabled());
  set_trace("");
  EXPECT_FALSE(trace_enabled());
  trace("nobody sees this");
  EXPECT_EQ(read_file(file_), "");
}

TEST_F(Trace, WritesTimeProcessAndThread) {
  set_trace(file_);
  trace("a line");
  const std::regex expected(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (\d+) (\d+) a line\n)");
  const std::string text = read_file(file_);
  std::smatch match;
  ASSERT_TRUE(std::regex_match(text, match, expected)) << text;
  EXPECT_EQ(match[1], std::to_string(process_id()));
  EXPECT_EQ(match[2], std::to_string(thread_id()));
  // By the C library, whose calendar we do not ask.
  const std::time_t now = std::time(nullptr);
  std::array<char, 16> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT", std::gmtime(&now));
  EXPECT_THAT(text, ::testing::StartsWith(date.data()));
}

TEST_F(Trace, EscapesWhatATerminalWouldObey) {
  set_trace(file_);
  trace("one\ntwo\x1b[31m\x7f\xc2\x9b caf\xc3\xa9");
  EXPECT_THAT(read_file(file_), EndsWith(" one\\x0atwo\\x1b[31m\\x7f\\xc2\x9b caf\xc3\xa9\n"));
}

TEST_F(Trace, EnvironmentWins) {
  const Variable wanted("DEVTRUST_TRACE", file_);
  set_trace((folder_ / "configured").string());
  trace("a line");
  EXPECT_THAT(read_file(file_), HasSubstr("a line"));
  EXPECT_FALSE(fs::exists(folder_ / "configured"));
}

TEST_F(Trace, ComesBackAfterItsFileIsDeleted) {
  set_trace(file_);
  fs::remove(file_);
  trace("a line");
  EXPECT_THAT(read_file(file_), HasSubstr("a line"));
}

TEST_F(Trace, LinesOfThreadsDoNotMix) {
  set_trace(file_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      for (int line = 0; line < 200; ++line) trace("the same line each time");
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = read_file(file_);
  const std::regex line(R"(\S+ \d+ \d+ the same line each time\n)");
  const auto begin = std::sregex_iterator(text.begin(), text.end(), line);
  EXPECT_EQ(std::distance(begin, std::sregex_iterator()), 1600);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1600);
}

}  // namespace
}  // namespace devtrust
