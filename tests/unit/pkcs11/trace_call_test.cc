#include "pkcs11/trace_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "identity/trace.h"
#include "tests/support/command.h"

namespace devtrust::pkcs11 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Names, AreThoseOfTheSpecification) {
  EXPECT_EQ(rv_name(CKR_OK), "CKR_OK");
  EXPECT_EQ(rv_name(CKR_SIGNATURE_LEN_RANGE), "CKR_SIGNATURE_LEN_RANGE");
  EXPECT_EQ(rv_name(0x80001234), "CKR_0x80001234");
  EXPECT_EQ(attribute_name(CKA_EC_POINT), "CKA_EC_POINT");
  EXPECT_EQ(attribute_name(0xce534352), "CKA_0xce534352");
}

class CallTraceTest : public ::testing::Test {
 protected:
  void SetUp() override { set_trace(file_.string()); }
  void TearDown() override { set_trace(""); }
  std::string text() const { return testing::read_file(file_); }

  const testing::TempDir folder_;
  const std::filesystem::path file_ = folder_ / "trace";
};

TEST_F(CallTraceTest, TellsArgumentsResultAndTime) {
  CK_ULONG length = 0;
  const CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
  {
    const std::array given{value("session", 17), mechanism_argument(&mechanism), result("length", &length)};
    const CallTrace trace("C_Sign", given);
    length = 64;
    EXPECT_EQ(trace.finish(CKR_OK), CKR_OK);
  }
  EXPECT_THAT(text(), HasSubstr("C_Sign(session=0x11, mechanism=CKM_ECDSA) = CKR_OK, length=0x40, "));
  EXPECT_THAT(text(), HasSubstr(" us"));
}

TEST_F(CallTraceTest, ShowsNoValueThatMayBeSecret) {
  std::string secret = "open sesame";
  std::string label = "my label";
  CK_OBJECT_CLASS key = CKO_SECRET_KEY;
  const std::array<CK_ATTRIBUTE, 3> list{{{CKA_VALUE, secret.data(), to_ulong(secret.size())},
                                          {CKA_LABEL, label.data(), to_ulong(label.size())},
                                          {CKA_CLASS, &key, sizeof key}}};
  const std::array given{attributes(list.data(), list.size()), buffer("pin", secret.data())};
  CallTrace("C_CreateObject", given).finish(CKR_GENERAL_ERROR, "because");
  EXPECT_THAT(text(), Not(HasSubstr("sesame")));
  EXPECT_THAT(text(), HasSubstr("CKA_VALUE[11]"));
  EXPECT_THAT(text(), HasSubstr("my label"));
  EXPECT_THAT(text(), HasSubstr("pin=set) = CKR_GENERAL_ERROR"));
  EXPECT_THAT(text(), HasSubstr(": because"));
}

TEST_F(CallTraceTest, ShowsNothingOfBuffersThatACallFills) {
  std::string left_over = "a password that was here before";
  const CK_ATTRIBUTE label{CKA_LABEL, left_over.data(), to_ulong(left_over.size())};
  const std::array given{requested(&label, 1)};
  CallTrace("C_GetAttributeValue", given).finish(CKR_OK);
  EXPECT_THAT(text(), Not(HasSubstr("password")));
  EXPECT_THAT(text(), HasSubstr("template={CKA_LABEL[31]}"));
}

TEST_F(CallTraceTest, LooksAtNothingThatIsNull) {
  const std::array given{attributes(nullptr, 3), mechanism_argument(nullptr), result("n", nullptr),
                         buffer("b", nullptr)};
  CallTrace("C_X", given).finish(CKR_ARGUMENTS_BAD);
  EXPECT_THAT(text(), HasSubstr("template=NULL, mechanism=NULL, n=NULL, b=NULL"));
}

}  // namespace
}  // namespace devtrust::pkcs11
