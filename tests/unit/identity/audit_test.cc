#include "identity/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "identity/process.h"
#include "identity/trace.h"
#include "tests/support/variable.h"
#include "tests/unit/identity/audit_fixture.h"

namespace devtrust {
namespace {

using testing::AuditTest;
using ::testing::HasSubstr;
using testing::read_file;

TEST_F(AuditTest, WithoutADestinationNothingIsWritten) {
  const Audit audit("", false);
  EXPECT_FALSE(audit.enabled());
  EXPECT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
}

TEST_F(AuditTest, TellsWhoUsedWhichKeyHow) {
  const Audit audit(file_, true);
  EXPECT_TRUE(audit.enabled());
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  ASSERT_TRUE(audit.record("derive", identity_, "CKM_ECDH1_DERIVE"));
  const std::string text = read_file(file_);
  std::string serial = to_hex(identity_.leaf->serial().subspan(2));
  const std::string who = "program=\"" + program_name() + "\" pid=\"" + std::to_string(process_id()) + "\" uid=\"" +
                          user_id() + "\" profile=\"jumpcloud\" ";
  const std::string what = "serial=\"" + serial + "\" sha256=\"" + to_hex(identity_.leaf->sha256()) +
                           "\" store=\"/home/someone/.pki/nssdb\"\n";
  EXPECT_THAT(text, HasSubstr("operation=\"sign\" " + who + "mechanism=\"CKM_ECDSA\" " + what));
  EXPECT_THAT(text, HasSubstr("operation=\"derive\" " + who + "mechanism=\"CKM_ECDH1_DERIVE\" " + what));
  EXPECT_TRUE(
      std::regex_search(text, std::regex("^time=\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{6}Z\" operation")))
      << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST_F(AuditTest, NamesTheOneForWhomThisThreadActs) {
  const Audit audit(file_, true);
  {
    const KeyUser user{"git", 4711, "1234"};
    const ActingFor acting(user);
    ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  }
  EXPECT_THAT(read_file(file_), HasSubstr("program=\"git\" pid=\"4711\" uid=\"1234\" profile=\"jumpcloud\""));
  std::filesystem::remove(file_);
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  EXPECT_THAT(read_file(file_),
              HasSubstr("program=\"" + program_name() + "\" pid=\"" + std::to_string(process_id()) + '"'));
}

TEST_F(AuditTest, LinesCannotBeForged) {
  identity_.location = "/a\" uid=\"0\ntime=\"\\\x7f\xc2\x85";
  const Audit audit(file_, true);
  ASSERT_TRUE(audit.record("sign", identity_, "CKM_ECDSA"));
  const std::string text = read_file(file_);
  EXPECT_THAT(text, HasSubstr(R"(store="/a\" uid=\"0\x0atime=\"\\\x7f\xc2\x85")"
                              "\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST_F(AuditTest, OpensNothingBeforeTheFirstUse) {
  const Audit audit(file_, true);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(AuditTest, FailsTheUseOnlyWhereItIsRequired) {
  const std::string nowhere = (folder_ / "missing" / "audit").string();
  const auto required = Audit(nowhere, true).record("sign", identity_, "CKM_ECDSA");
  ASSERT_FALSE(required);
  EXPECT_EQ(required.error().code, ErrorCode::kAuditFailed);

  const testing::Variable no_trace("DEVTRUST_TRACE", std::nullopt);
  set_trace((folder_ / "trace").string());
  EXPECT_TRUE(Audit(nowhere, false).record("sign", identity_, "CKM_ECDSA"));
  set_trace("");
  EXPECT_THAT(read_file(folder_ / "trace"), HasSubstr(nowhere));
}

}  // namespace
}  // namespace devtrust
