#include "backends/nss/vfs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "backends/nss/database.h"
#include "backends/nss/nss_store.h"
#include "tests/support/pki.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::NssDatabase;
using testing::Pki;
using testing::TempDir;

/// Another program, with Python's SQLite, that does something to a database and waits to be told to go on.
class Writer {
 public:
  Writer(const fs::path& database, const std::string& statements) {
    int to_us[2];
    int to_it[2];
    if (pipe(to_us) != 0 || pipe(to_it) != 0) throw std::runtime_error("pipe");
    child_ = fork();
    if (child_ == 0) {
      dup2(to_it[0], STDIN_FILENO);
      dup2(to_us[1], STDOUT_FILENO);
      execl("/usr/bin/python3", "python3", "-c",
            "import sqlite3, sys\n"
            "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "for statement in sys.argv[2].split(';'):\n"
            "    db.execute(statement)\n"
            "print('done', flush=True)\n"
            "sys.stdin.readline()\n",
            database.c_str(), statements.c_str(), nullptr);
      _exit(127);
    }
    close(to_us[1]);
    close(to_it[0]);
    in_ = to_us[0];
    out_ = to_it[1];
    std::string line;
    char next = 0;
    while (read(in_, &next, 1) == 1 && next != '\n') line += next;
    if (line != "done") {
      end(SIGKILL);
      throw std::runtime_error("the writer did not start");
    }
  }
  ~Writer() { end(SIGTERM); }
  void kill() { end(SIGKILL); }

 private:
  void end(int signal) {
    if (child_ <= 0) return;
    ::kill(child_, signal);
    waitpid(child_, nullptr, 0);
    close(in_);
    close(out_);
    child_ = -1;
  }
  pid_t child_ = -1;
  int in_ = -1;
  int out_ = -1;
};

class VfsTest : public ::testing::Test {
 protected:
  VfsTest() { database_.import(pki_.issue({.key = "ec:P-256"})); }
  std::string folder() const { return database_.folder().string(); }

  TempDir temp_;
  Pki pki_{temp_ / "pki", "ec:P-256"};
  NssDatabase database_{temp_ / "nssdb"};
};

TEST_F(VfsTest, WriterIsWaitedForABoundedTime) {
  const Writer writer(database_.folder() / "key4.db", "BEGIN EXCLUSIVE");
  const auto began = std::chrono::steady_clock::now();
  const auto rows = read_nss_database(folder());
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kBusy);
  EXPECT_THAT(rows.error().message, HasSubstr("is being written"));
}

TEST_F(VfsTest, WriterThatHasNotCommittedIsNoObstacle) {
  const Writer writer(database_.folder() / "key4.db", "BEGIN IMMEDIATE;DELETE FROM nssPrivate");
  const auto rows = read_nss_database(folder());
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(rows->keys.size(), 1U);  // as it was before
}

// A cache of one page makes the transaction spill into the file, behind a synced journal.
constexpr const char* kSpillingTransaction =
    "PRAGMA cache_size=1;BEGIN IMMEDIATE;UPDATE nssPrivate SET a3 = randomblob(200000);"
    "CREATE TABLE more (x);INSERT INTO more VALUES (randomblob(900000))";

TEST_F(VfsTest, HotJournalIsNamedAndLeftAlone) {
  const fs::path keys = database_.folder() / "key4.db";
  {
    Writer writer(keys, kSpillingTransaction);
    writer.kill();
  }
  const fs::path journal = database_.folder() / "key4.db-journal";
  ASSERT_GT(fs::file_size(journal), 0U);
  const std::string digest = database_.digest();
  const auto rows = read_nss_database(folder());
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kBusy);
  EXPECT_THAT(rows.error().message, HasSubstr("in the middle of a change"));
  EXPECT_TRUE(fs::exists(journal));
  EXPECT_EQ(database_.digest(), digest);
  { const Writer mended(keys, "PRAGMA quick_check"); }  // what the sentence says to do
  const auto after = read_nss_database(folder());
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->keys.size(), 1U);
}

TEST_F(VfsTest, HotJournalOfALinkedDatabaseIsSeen) {
  for (const char* name : {"key4.db", "cert9.db"}) {
    fs::rename(database_.folder() / name, temp_ / name);
    fs::create_symlink(temp_ / name, database_.folder() / name);
  }
  ASSERT_TRUE(read_nss_database(folder()));
  {
    Writer writer(temp_ / "key4.db", kSpillingTransaction);
    writer.kill();
  }
  ASSERT_GT(fs::file_size(temp_ / "key4.db-journal"), 0U);
  const auto rows = read_nss_database(folder());
  ASSERT_FALSE(rows);
  EXPECT_THAT(rows.error().message, HasSubstr("in the middle of a change"));
}

/// What a host's SQLite holds in the middle of a write transaction: POSIX locks on RESERVED and SHARED.
bool take_posix_lock(int file, short type, off_t first, off_t length) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = length;
  return fcntl(file, F_SETLK, &range) == 0;
}

TEST_F(VfsTest, HostKeepsItsLocksThroughAThousandReads) {
  constexpr off_t kReserved = 0x40000001;
  const int file = open((database_.folder() / "cert9.db").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_TRUE(take_posix_lock(file, F_RDLCK, kReserved + 1, 510));
  ASSERT_TRUE(take_posix_lock(file, F_WRLCK, kReserved, 1));
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(read_nss_database(folder())) << i;
  const pid_t child = fork();
  if (child == 0) {
    const int other = open((database_.folder() / "cert9.db").c_str(), O_RDWR);
    _exit(take_posix_lock(other, F_WRLCK, kReserved, 1) ? 1 : 0);  // 1: it got what the host holds
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  close(file);
}

TEST_F(VfsTest, ReaderKeepsWritersOutOnlyWhileItReads) {
  ASSERT_TRUE(read_nss_database(folder()));
  const Writer writer(database_.folder() / "key4.db", "BEGIN EXCLUSIVE;COMMIT");  // throws where it cannot
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

TEST_F(VfsTest, DescriptorsAreReusedAndCloseOnExec) {
  ASSERT_TRUE(read_nss_database(folder()));
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(read_nss_database(folder()));
  EXPECT_EQ(open_descriptors(), before);
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = fs::read_symlink(entry.path(), error).string();
    if (!target.starts_with(folder())) continue;
    EXPECT_NE(fcntl(std::stoi(entry.path().filename().string()), F_GETFD) & FD_CLOEXEC, 0) << target;
  }
}

TEST_F(VfsTest, ReplacedDatabasesDoNotAddUp) {
  ASSERT_TRUE(read_nss_database(folder()));
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    for (const char* name : {"cert9.db", "key4.db"}) {
      const fs::path file = database_.folder() / name;
      fs::copy_file(file, database_.folder() / "copy");
      fs::rename(database_.folder() / "copy", file);
    }
    ASSERT_TRUE(read_nss_database(folder())) << i;
  }
  EXPECT_LE(open_descriptors(), before + 2);
}

TEST_F(VfsTest, ForkedChildReadsWithDescriptorsOfItsOwn) {
  ASSERT_TRUE(read_nss_database(folder()));
  const pid_t child = fork();
  if (child == 0) {
    const auto rows = read_nss_database(folder());
    _exit(rows && rows->keys.size() == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(read_nss_database(folder()));
}

TEST_F(VfsTest, IsNotTheDefault) {
  const auto api = sqlite_api();
  ASSERT_TRUE(api);
  ASSERT_TRUE(register_vfs(**api));
  EXPECT_STRNE((*api)->vfs_find(nullptr)->zName, kVfsName);
  EXPECT_STREQ((*api)->vfs_find(kVfsName)->zName, kVfsName);
}

}  // namespace
}  // namespace devtrust
