// The audit line in files with owners and modes, and in the logs of POSIX's systems.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/unit/identity/audit_fixture.h"
#include "tests/unit/identity/other_user.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using testing::AuditTest;
using ::testing::HasSubstr;
using testing::read_file;
using testing::write_file;

/// A daemon's socket.
class Socket {
 public:
  explicit Socket(const fs::path& path) : descriptor_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("bind: " + std::string(std::strerror(errno)));
    }
  }
  ~Socket() { close(descriptor_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  std::string receive() const {
    std::array<char, 4096> text{};
    const ssize_t length = recv(descriptor_, text.data(), text.size(), MSG_DONTWAIT);
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
  }

 private:
  int descriptor_;
};

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
  const Socket daemon(path);
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  const std::string text = daemon.receive();
  EXPECT_THAT(text, ::testing::StartsWith("<85>devtrust[" + std::to_string(getpid()) + "]: time=\""));
  EXPECT_THAT(text, ::testing::EndsWith("store=\"/home/someone/.pki/nssdb\""));
}

TEST_F(AuditTest, SpeaksToTheJournal) {
  const fs::path path = folder_ / "journal";
  const Socket daemon(path);
  identity_.location = "/a\nPRIORITY=0";
  ASSERT_TRUE(Audit("journal:" + path.string(), true).record("sign", identity_, "CKM_ECDSA"));
  const std::string text = daemon.receive();
  EXPECT_THAT(text,
              ::testing::StartsWith("PRIORITY=5\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=devtrust\nMESSAGE=time=\""));
  EXPECT_THAT(text, ::testing::EndsWith("store=\"/a\\x0aPRIORITY=0\"\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
}

}  // namespace
}  // namespace devtrust
