#include "backends/wincert/key_error.h"

#include <windows.h>

#include <gtest/gtest.h>
#include <winerror.h>

namespace devtrust {
namespace {

std::uint32_t number(HRESULT code) { return static_cast<std::uint32_t>(code); }

TEST(WindowsKeyError, SaysWhatToDo) {
  const Error silent = key_error(number(NTE_SILENT_CONTEXT));
  EXPECT_EQ(silent.code, ErrorCode::kAccessDenied);
  EXPECT_NE(silent.message.find("prompt = true"), std::string::npos);
  EXPECT_EQ(key_error(number(NTE_BAD_KEYSET)).code, ErrorCode::kNotFound);
  EXPECT_EQ(key_error(number(SCARD_W_WRONG_CHV)).code, ErrorCode::kWrongPassword);
  EXPECT_EQ(key_error(number(NTE_NOT_SUPPORTED)).code, ErrorCode::kUnsupported);
}

TEST(WindowsKeyError, NamesWhatItDoesNotKnow) {
  const Error unknown = key_error(0x8009FEDC);
  EXPECT_EQ(unknown.code, ErrorCode::kIo);
  EXPECT_NE(unknown.message.find("8009FEDC"), std::string::npos) << unknown.message;
}

TEST(WindowsKeyError, BlamesTheCiphertextWhereItIsToBlame) {
  EXPECT_EQ(decryption_error(number(NTE_BAD_DATA)).code, ErrorCode::kDecryptionFailed);
  EXPECT_EQ(decryption_error(number(NTE_INVALID_PARAMETER)).code, ErrorCode::kDecryptionFailed);
  EXPECT_EQ(decryption_error(number(NTE_SILENT_CONTEXT)).code, ErrorCode::kAccessDenied);
}

}  // namespace
}  // namespace devtrust
