// The trace's file among descriptors, modes and children.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>

#include "tests/unit/identity/other_user.h"
#include "tests/unit/identity/trace_fixture.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::read_file;
using testing::Trace;
using testing::write_file;

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

TEST_F(Trace, CreatesTheFileForItsUserAloneAndAppends) {
  write_file(file_, "before\n");
  set_trace(file_);
  trace("after");
  EXPECT_THAT(read_file(file_), ::testing::MatchesRegex("before\n.* after\n"));
  const fs::path other = folder_ / "other";
  const mode_t mask = umask(0);
  set_trace(other.string());
  umask(mask);
  EXPECT_EQ(fs::status(other).permissions(), fs::perms::owner_read | fs::perms::owner_write);
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
  set_trace(folder_.path().string());
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

}  // namespace
}  // namespace devtrust
