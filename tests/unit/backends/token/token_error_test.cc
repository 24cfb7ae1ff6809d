#include "backends/token/token_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace devtrust {
namespace {

TEST(TokenError, SaysWhatToDo) {
  EXPECT_EQ(token_error(CKR_PIN_LOCKED).code, ErrorCode::kAccessDenied);
  EXPECT_EQ(token_error(CKR_PIN_INCORRECT).code, ErrorCode::kWrongPassword);
  EXPECT_EQ(token_error(CKR_USER_NOT_LOGGED_IN).code, ErrorCode::kLoginRequired);
  EXPECT_EQ(token_error(CKR_TOKEN_NOT_PRESENT).code, ErrorCode::kIo);
  EXPECT_EQ(token_error(CKR_MECHANISM_PARAM_INVALID).code, ErrorCode::kUnsupported);
  EXPECT_EQ(token_error(CKR_DATA_LEN_RANGE).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(token_error(CKR_VENDOR_DEFINED | 0x31).code, ErrorCode::kIo);
  EXPECT_THAT(token_error(CKR_VENDOR_DEFINED | 0x31).message, ::testing::HasSubstr("0x80000031"));
}

TEST(TokenError, WhateverIsSaidOfACiphertextIsTheSame) {
  for (const CK_RV rv : {CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_ENCRYPTED_DATA_INVALID,
                         CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_DATA_INVALID}) {
    EXPECT_EQ(decryption_error(rv).code, ErrorCode::kDecryptionFailed);
    EXPECT_EQ(decryption_error(rv).message, decryption_error(CKR_ENCRYPTED_DATA_INVALID).message);
  }
  EXPECT_EQ(decryption_error(CKR_DEVICE_REMOVED).code, ErrorCode::kIo);
}

TEST(TokenError, APinIsWrongHoweverItIsSaid) {
  EXPECT_TRUE(is_wrong_pin(CKR_PIN_INCORRECT));
  EXPECT_TRUE(is_wrong_pin(CKR_PIN_LOCKED));
  EXPECT_FALSE(is_wrong_pin(CKR_USER_ALREADY_LOGGED_IN));
  EXPECT_FALSE(is_wrong_pin(CKR_DEVICE_ERROR));
}

}  // namespace
}  // namespace devtrust
