// The audit line in files with owners and modes, and in the logs of POSIX's systems.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/identity/audit_fixture.h"
#include "tests/unit/identity/log_socket.h"
#include "tests/unit/identity/other_user.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using testing::AuditTest;
using ::testing::HasSubstr;
using testing::read_file;
using testing::write_file;

TEST_F(AuditTest, CreatesTheFileForItsUserAloneAndAppends) {
  const mode_t mask = umask(0);
  const Audit audit(file_, true);
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  umask(mask);
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  write_file(file_, "before\n");
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  EXPECT_THAT(read_file(file_), ::testing::StartsWith("before\ntime="));
  fs::rename(file_, folder_ / "audit.1");  // as logrotate does
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  EXPECT_TRUE(std::filesystem::exists(file_));
}

TEST_F(AuditTest, DoesNotFollowALink) {
  write_file(folder_ / "precious", "precious");
  fs::create_symlink(folder_ / "precious", file_);
  const auto recorded = Audit(file_, true).record("sign", identity_, "CKM_ECDSA");
  ASSERT_FALSE(recorded);
  EXPECT_EQ(recorded.error().code, ErrorCode::kAuditFailed);
  EXPECT_THAT(recorded.error().message, HasSubstr(file_));
  EXPECT_EQ(read_file(folder_ / "precious"), "precious");
}

TEST_F(AuditTest, TakesOnlyAFile) {
  EXPECT_FALSE(Audit(folder_.path(), true).record("sign", identity_, "CKM_ECDSA"));
  EXPECT_FALSE(Audit("/dev/null", true).record("sign", identity_, "CKM_ECDSA"));
}

TEST_F(AuditTest, TakesNoFileOfAnotherUser) {
  if (!testing::as_root()) return;
  write_file(file_, "");
  ASSERT_EQ(chown(file_.c_str(), testing::kOtherUser, testing::kOtherUser), 0);
  EXPECT_FALSE(Audit(file_, true).record("sign", identity_, "CKM_ECDSA"));
  EXPECT_EQ(read_file(file_), "");
}

TEST_F(AuditTest, SpeaksToSyslog) {
  const fs::path path = folder_ / "log";
  const Audit audit("syslog:" + path.string(), true);
  EXPECT_FALSE(audit.record("sign", identity_, "CKM_ECDSA")) << "nobody listens yet";
  const testing::LogSocket daemon(path);
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  const std::string text = daemon.receive();
  EXPECT_THAT(text, ::testing::StartsWith("<85>devtrust[" + std::to_string(getpid()) + "]: time=\""));
  EXPECT_THAT(text, ::testing::EndsWith("store=\"/home/someone/.pki/nssdb\""));
}

}  // namespace
}  // namespace devtrust
