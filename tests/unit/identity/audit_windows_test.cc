// The audit line in files with access control lists, and in the event log.
#include <windows.h>

#include "tests/support/access_list.h"
#include "tests/unit/identity/audit_fixture.h"

namespace devtrust {
namespace {

using testing::AuditTest;
using ::testing::HasSubstr;
using ::testing::IsSubsetOf;
using testing::read_file;
using testing::write_file;

TEST_F(AuditTest, CreatesTheFileForItsUserAloneAndAppends) {
  const Audit audit(file_, true);
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  EXPECT_THAT(testing::allowed(file_), IsSubsetOf(testing::ours()));
  write_file(file_, "before\n");
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  EXPECT_THAT(read_file(file_), ::testing::StartsWith("before\ntime="));
  std::filesystem::rename(file_, folder_ / "audit.1");
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  EXPECT_TRUE(std::filesystem::exists(file_));
}

TEST_F(AuditTest, ProbeMakesTheFileAndWritesNothing) {
  ASSERT_TRUE(Audit(file_, true).probe());
  EXPECT_EQ(read_file(file_), "");
}

TEST_F(AuditTest, SharesTheFileWithWhoeverReadsIt) {
  ASSERT_TRUE(Audit(file_, true).probe());
  HANDLE reader = CreateFileA(file_.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              nullptr, OPEN_EXISTING, 0, nullptr);
  ASSERT_NE(reader, INVALID_HANDLE_VALUE);
  EXPECT_TRUE(Audit(file_, true).record("sign", identity_, "CKM_ECDSA"));
  CloseHandle(reader);
}

TEST_F(AuditTest, TakesOnlyAFile) {
  for (const std::string& path : {folder_.path().string(), std::string("NUL")}) {
    const auto recorded = Audit(path, true).record("sign", identity_, "CKM_ECDSA");
    ASSERT_FALSE(recorded) << path;
    EXPECT_EQ(recorded.error().code, ErrorCode::kAuditFailed);
    EXPECT_THAT(recorded.error().message, HasSubstr("cannot be written to " + path + ": "));
  }
}

TEST_F(AuditTest, SpeaksToTheEventLog) {
  const Audit audit("eventlog:", true);
  EXPECT_TRUE(audit.enabled());
  EXPECT_TRUE(audit.probe());
  const auto recorded = audit.record("sign", identity_, "CKM_ECDSA");
  EXPECT_TRUE(recorded) << recorded.error().message;
}

}  // namespace
}  // namespace devtrust
