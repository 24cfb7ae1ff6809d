#include "identity/trace.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <regex>
#include <thread>
#include <vector>

#include "tests/unit/identity/surroundings.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TempDir;
using testing::Variable;
using testing::write_file;

class Trace : public ::testing::Test {
 protected:
  ~Trace() override { set_trace(""); }
  const Variable no_trace_{"DEVTRUST_TRACE", std::nullopt};
  const TempDir folder_;
  const fs::path file_ = folder_ / "trace";
};

/// The descriptor that this process has of `file`.
int descriptor_of(const fs::path& file) {
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(entry.path(), gone) == file) return std::stoi(entry.path().filename().string());
  }
  return -1;
}

std::ptrdiff_t open_descriptors() {
  return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

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
  EXPECT_EQ(match[1], std::to_string(getpid()));
  EXPECT_EQ(match[2], std::to_string(gettid()));
  std::string now = testing::must_run({"date", "-u", "+%Y-%m-%dT"});
  now.pop_back();
  EXPECT_THAT(text, ::testing::StartsWith(now));
}

TEST_F(Trace, CreatesTheFileForItsUserAloneAndAppends) {
  write_file(file_, "before\n");
  set_trace(file_);
  trace("after");
  EXPECT_THAT(read_file(file_), ::testing::MatchesRegex("before\n.* after\n"));
  const fs::path other = folder_ / "other";
  const mode_t mask = umask(0);
  set_trace(other);
  umask(mask);
  EXPECT_EQ(fs::status(other).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Trace, EscapesWhatATerminalWouldObey) {
  set_trace(file_);
  trace("one\ntwo\x1b[31m\x7f\xc2\x9b caf\xc3\xa9");
  EXPECT_THAT(read_file(file_), EndsWith(" one\\x0atwo\\x1b[31m\\x7f\\xc2\x9b caf\xc3\xa9\n"));
}

TEST_F(Trace, DoesNotFollowALink) {
  write_file(folder_ / "precious", "precious");
  fs::create_symlink(folder_ / "precious", file_);
  set_trace(file_);
  EXPECT_FALSE(trace_enabled());
  trace("a line");
  EXPECT_EQ(read_file(folder_ / "precious"), "precious");
}

TEST_F(Trace, TakesOnlyAFile) {
  ASSERT_EQ(mkfifo(file_.c_str(), 0600), 0);
  const int reader = open(file_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  set_trace(file_);
  EXPECT_FALSE(trace_enabled());
  close(reader);
  set_trace(folder_.path());
  EXPECT_FALSE(trace_enabled());
  set_trace("/dev/null");
  EXPECT_FALSE(trace_enabled());
}

TEST_F(Trace, TakesNoFileOfAnotherUser) {
  if (!testing::as_root()) return;
  write_file(file_, "");
  ASSERT_EQ(chown(file_.c_str(), testing::kOtherUser, testing::kOtherUser), 0);
  set_trace(file_);
  EXPECT_FALSE(trace_enabled());
}

TEST_F(Trace, EnvironmentWins) {
  const Variable wanted("DEVTRUST_TRACE", file_.string());
  set_trace(folder_ / "configured");
  trace("a line");
  EXPECT_THAT(read_file(file_), HasSubstr("a line"));
  EXPECT_FALSE(fs::exists(folder_ / "configured"));
}

TEST_F(Trace, OneMeansStandardError) {
  const int saved = dup(STDERR_FILENO);
  const int file = open(file_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  dup2(file, STDERR_FILENO);
  set_trace("1");
  trace("a line");
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(file);
  EXPECT_THAT(read_file(file_), HasSubstr("a line"));
}

TEST_F(Trace, ChildWritesUnderItsOwnNumber) {
  set_trace(file_);
  const pid_t child = fork();
  if (child == 0) {
    trace("from the child");
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_THAT(read_file(file_), HasSubstr("Z " + std::to_string(child) + ' ' + std::to_string(child) + " from"));
}

TEST_F(Trace, NeverWritesToAFileOfTheHosts) {
  set_trace(file_);
  const int ours = descriptor_of(file_);
  ASSERT_GT(ours, STDERR_FILENO);
  write_file(folder_ / "host", "the host's");
  const int host = open((folder_ / "host").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  ASSERT_EQ(dup2(host, ours), ours);  // as a daemon does that closes everything and opens its own files
  trace("a line");
  EXPECT_EQ(read_file(folder_ / "host"), "the host's");
  EXPECT_THAT(read_file(file_), HasSubstr("a line"));
  close(host);
  close(ours);
}

TEST_F(Trace, ComesBackAfterItsFileIsDeleted) {
  set_trace(file_);
  fs::remove(file_);
  trace("a line");
  EXPECT_THAT(read_file(file_), HasSubstr("a line"));
}

TEST_F(Trace, OpensADestinationOnce) {
  set_trace(file_);
  const auto before = open_descriptors();
  for (int i = 0; i < 50; ++i) {
    set_trace("");
    set_trace(file_);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Trace, DoesNotTakeAStandardStreamsPlace) {
  const int saved = dup(STDIN_FILENO);
  close(STDIN_FILENO);
  set_trace(file_);
  EXPECT_GT(descriptor_of(file_), STDERR_FILENO);
  if (saved >= 0) {
    dup2(saved, STDIN_FILENO);
    close(saved);
  }
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
