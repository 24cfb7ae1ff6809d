// The audit line in systemd's journal.
#include <algorithm>

#include "tests/unit/identity/audit_fixture.h"
#include "tests/unit/identity/log_socket.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using testing::AuditTest;

TEST_F(AuditTest, SpeaksToTheJournal) {
  const fs::path path = folder_ / "journal";
  const testing::LogSocket daemon(path);
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
