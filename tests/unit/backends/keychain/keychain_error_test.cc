#include "backends/keychain/keychain_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "identity/fork.h"
#include "pkcs11/status.h"

namespace devtrust {
namespace {

using security::Domain;
using ::testing::HasSubstr;

struct Row {
  const char* name;
  long code;
  CK_RV rv;
};

/// What SecBase.h's documentation numbers, of what these calls may answer.
constexpr Row kStatuses[] = {
    {"errSecUnimplemented", -4, CKR_MECHANISM_INVALID},
    {"errSecDiskFull", -34, CKR_DEVICE_ERROR},
    {"errSecIO", -36, CKR_DEVICE_ERROR},
    {"errSecOpWr", -49, CKR_DEVICE_ERROR},
    {"errSecParam", -50, CKR_DATA_INVALID},
    {"errSecWrPerm", -61, CKR_FUNCTION_REJECTED},
    {"errSecAllocate", -108, CKR_GENERAL_ERROR},
    {"errSecUserCanceled", -128, CKR_FUNCTION_REJECTED},
    {"errSecBadReq", -909, CKR_GENERAL_ERROR},
    {"errSecInternalComponent", -2070, CKR_DEVICE_ERROR},
    {"errSecCoreFoundationUnknown", -4960, CKR_GENERAL_ERROR},
    {"errSecMissingEntitlement", -34018, CKR_FUNCTION_REJECTED},
    {"errSecRestrictedAPI", -34020, CKR_FUNCTION_REJECTED},
    {"errSecACLNotSimple", -25240, CKR_FUNCTION_REJECTED},
    {"errSecNoAccessForItem", -25243, CKR_FUNCTION_REJECTED},
    {"errSecInvalidOwnerEdit", -25244, CKR_FUNCTION_REJECTED},
    {"errSecUnsupportedFormat", -25256, CKR_MECHANISM_INVALID},
    {"errSecUnknownFormat", -25257, CKR_DEVICE_ERROR},
    {"errSecKeyIsSensitive", -25258, CKR_FUNCTION_REJECTED},
    {"errSecMultiplePrivKeys", -25259, CKR_DEVICE_ERROR},
    {"errSecPassphraseRequired", -25260, CKR_FUNCTION_REJECTED},
    {"errSecInvalidPasswordRef", -25261, CKR_GENERAL_ERROR},
    {"errSecNotAvailable", -25291, CKR_DEVICE_ERROR},
    {"errSecReadOnly", -25292, CKR_FUNCTION_REJECTED},
    {"errSecAuthFailed", -25293, CKR_FUNCTION_REJECTED},
    {"errSecNoSuchKeychain", -25294, CKR_GENERAL_ERROR},
    {"errSecInvalidKeychain", -25295, CKR_DEVICE_ERROR},
    {"errSecDuplicateKeychain", -25296, CKR_GENERAL_ERROR},
    {"errSecDuplicateCallback", -25297, CKR_GENERAL_ERROR},
    {"errSecInvalidCallback", -25298, CKR_GENERAL_ERROR},
    {"errSecDuplicateItem", -25299, CKR_GENERAL_ERROR},
    {"errSecItemNotFound", -25300, CKR_GENERAL_ERROR},
    {"errSecBufferTooSmall", -25301, CKR_GENERAL_ERROR},
    {"errSecDataTooLarge", -25302, CKR_DATA_INVALID},
    {"errSecNoSuchAttr", -25303, CKR_DEVICE_ERROR},
    {"errSecInvalidItemRef", -25304, CKR_GENERAL_ERROR},
    {"errSecInvalidSearchRef", -25305, CKR_GENERAL_ERROR},
    {"errSecNoSuchClass", -25306, CKR_MECHANISM_INVALID},
    {"errSecNoDefaultKeychain", -25307, CKR_GENERAL_ERROR},
    {"errSecInteractionNotAllowed", -25308, CKR_FUNCTION_REJECTED},
    {"errSecReadOnlyAttr", -25309, CKR_FUNCTION_REJECTED},
    {"errSecWrongSecVersion", -25310, CKR_DEVICE_ERROR},
    {"errSecKeySizeNotAllowed", -25311, CKR_MECHANISM_INVALID},
    {"errSecNoStorageModule", -25312, CKR_DEVICE_ERROR},
    {"errSecNoCertificateModule", -25313, CKR_DEVICE_ERROR},
    {"errSecNoPolicyModule", -25314, CKR_DEVICE_ERROR},
    {"errSecInteractionRequired", -25315, CKR_FUNCTION_REJECTED},
    {"errSecDataNotAvailable", -25316, CKR_DEVICE_ERROR},
    {"errSecDataNotModifiable", -25317, CKR_FUNCTION_REJECTED},
    {"errSecCreateChainFailed", -25318, CKR_DEVICE_ERROR},
    {"errSecInvalidPrefsDomain", -25319, CKR_GENERAL_ERROR},
    {"errSecInDarkWake", -25320, CKR_DEVICE_ERROR},
    {"errSecDecode", -26275, CKR_DATA_INVALID},
    {"errSecServiceNotAvailable", -67585, CKR_DEVICE_ERROR},
    {"errSecInsufficientClientID", -67586, CKR_FUNCTION_REJECTED},
    {"errSecDeviceReset", -67587, CKR_DEVICE_ERROR},
    {"errSecDeviceFailed", -67588, CKR_DEVICE_ERROR},
    {"errSecAppleAddAppACLSubject", -67589, CKR_FUNCTION_REJECTED},
    {"errSecApplePublicKeyIncomplete", -67590, CKR_DEVICE_ERROR},
    {"errSecConversionError", -67594, CKR_GENERAL_ERROR},
    {"errSecInvalidDatabaseBlob", -67598, CKR_DEVICE_ERROR},
    {"errSecInvalidKeyBlob", -67599, CKR_DEVICE_ERROR},
    {"errSecIncompatibleDatabaseBlob", -67600, CKR_DEVICE_ERROR},
    {"errSecIncompatibleKeyBlob", -67601, CKR_DEVICE_ERROR},
    {"errSecRecordModified", -67638, CKR_DEVICE_ERROR},
    {"errSecNotInitialized", -67667, CKR_DEVICE_ERROR},
    {"errSecInternalError", -67671, CKR_DEVICE_ERROR},
    {"errSecMemoryError", -67672, CKR_GENERAL_ERROR},
    {"errSecInvalidData", -67673, CKR_DATA_INVALID},
    {"errSecFunctionFailed", -67677, CKR_DEVICE_ERROR},
    {"errSecInvalidHandle", -67680, CKR_DEVICE_ERROR},
    {"errSecInvalidCertificateRef", -67690, CKR_DEVICE_ERROR},
    {"errSecInvalidAccessCredentials", -67700, CKR_FUNCTION_REJECTED},
    {"errSecInvalidRecord", -67701, CKR_DEVICE_ERROR},
    {"errSecInvalidACL", -67702, CKR_FUNCTION_REJECTED},
    {"errSecPrivilegeNotGranted", -67705, CKR_FUNCTION_REJECTED},
    {"errSecInvalidKeyRef", -67712, CKR_DEVICE_ERROR},
    {"errSecInputLengthError", -67724, CKR_DATA_INVALID},
    {"errSecOutputLengthError", -67725, CKR_GENERAL_ERROR},
    {"errSecPrivilegeNotSupported", -67726, CKR_MECHANISM_INVALID},
    {"errSecDeviceError", -67727, CKR_DEVICE_ERROR},
    {"errSecAttachHandleBusy", -67728, CKR_DEVICE_ERROR},
    {"errSecNotLoggedIn", -67729, CKR_FUNCTION_REJECTED},
    {"errSecAlgorithmMismatch", -67730, CKR_MECHANISM_INVALID},
    {"errSecKeyUsageIncorrect", -67731, CKR_MECHANISM_INVALID},
    {"errSecKeyBlobTypeIncorrect", -67732, CKR_DEVICE_ERROR},
    {"errSecKeyHeaderInconsistent", -67733, CKR_DEVICE_ERROR},
    {"errSecUnsupportedKeyFormat", -67734, CKR_MECHANISM_INVALID},
    {"errSecUnsupportedKeySize", -67735, CKR_MECHANISM_INVALID},
    {"errSecInvalidKeyUsageMask", -67736, CKR_MECHANISM_INVALID},
    {"errSecUnsupportedKeyUsageMask", -67737, CKR_MECHANISM_INVALID},
    {"errSecInvalidKeyFormat", -67742, CKR_DEVICE_ERROR},
    {"errSecInvalidInputVector", -67744, CKR_DATA_INVALID},
    {"errSecInvalidAlgorithm", -67747, CKR_MECHANISM_INVALID},
    {"errSecBlockSizeMismatch", -67810, CKR_DATA_INVALID},
    {"errSecPublicKeyInconsistent", -67811, CKR_DEVICE_ERROR},
    {"errSecDeviceVerifyFailed", -67812, CKR_DEVICE_ERROR},
    {"errSecInvalidDigestAlgorithm", -67815, CKR_MECHANISM_INVALID},
    {"errSecInsufficientCredentials", -67822, CKR_FUNCTION_REJECTED},
    {"errSecDatabaseLocked", -67869, CKR_FUNCTION_REJECTED},
    {"errSecDatastoreIsOpen", -67870, CKR_DEVICE_ERROR},
};

constexpr Row kTokenErrors[] = {
    {"TKErrorCodeNotImplemented", -1, CKR_MECHANISM_INVALID},
    {"TKErrorCodeCommunicationError", -2, CKR_DEVICE_ERROR},
    {"TKErrorCodeCorruptedData", -3, CKR_DEVICE_ERROR},
    {"TKErrorCodeCanceledByUser", -4, CKR_FUNCTION_REJECTED},
    {"TKErrorCodeAuthenticationFailed", -5, CKR_FUNCTION_REJECTED},
    {"TKErrorCodeObjectNotFound", -6, CKR_GENERAL_ERROR},
    {"TKErrorCodeTokenNotFound", -7, CKR_DEVICE_ERROR},
    {"TKErrorCodeBadParameter", -8, CKR_DATA_INVALID},
    {"TKErrorCodeAuthenticationNeeded", -9, CKR_FUNCTION_REJECTED},
};

constexpr Row kAuthenticationErrors[] = {
    {"LAErrorAuthenticationFailed", -1, CKR_FUNCTION_REJECTED}, {"LAErrorUserCancel", -2, CKR_FUNCTION_REJECTED},
    {"LAErrorSystemCancel", -4, CKR_FUNCTION_REJECTED},         {"LAErrorAppCancel", -9, CKR_FUNCTION_REJECTED},
    {"LAErrorNotInteractive", -1004, CKR_FUNCTION_REJECTED},
};

void expect_rows(Domain domain, std::span<const Row> rows) {
  std::set<long> seen;
  for (const Row& row : rows) {
    EXPECT_TRUE(seen.insert(row.code).second) << row.name;
    const Error error = keychain_error({domain, row.code, "as macOS says"});
    EXPECT_EQ(pkcs11::rv_of(error.code), row.rv) << row.name;
    EXPECT_THAT(error.message, ::testing::Not(HasSubstr("as macOS says"))) << row.name << " has no sentence of ours";
  }
}

TEST(KeychainErrors, EachDocumentedStatusHasItsReturnValueAndASentence) {
  expect_rows(Domain::kOsStatus, kStatuses);
  expect_rows(Domain::kCryptoTokenKit, kTokenErrors);
  expect_rows(Domain::kLocalAuthentication, kAuthenticationErrors);
}

TEST(KeychainErrors, AnUnknownOneSaysWhatMacOsSaysAndItsNumber) {
  for (const Domain domain : {Domain::kOsStatus, Domain::kCryptoTokenKit, Domain::kOther}) {
    const Error error = keychain_error({domain, -99999, "as macOS says"});
    EXPECT_EQ(error.code, ErrorCode::kIo);
    EXPECT_THAT(error.message, ::testing::AllOf(HasSubstr("as macOS says"), HasSubstr("-99999")));
  }
  EXPECT_THAT(keychain_error({Domain::kOther, 0, ""}).message, HasSubstr("it does not say why"));
}

TEST(KeychainErrors, ADecryptionsBadDataIsTheCiphertextsFault) {
  EXPECT_EQ(keychain_decryption_error({Domain::kOsStatus, -50, {}}).code, ErrorCode::kDecryptionFailed);
  EXPECT_EQ(keychain_decryption_error({Domain::kOsStatus, -67673, {}}).code, ErrorCode::kDecryptionFailed);
  EXPECT_EQ(keychain_decryption_error({Domain::kOsStatus, -25308, {}}).code, ErrorCode::kAccessDenied);
}

TEST(KeychainErrors, KnowsWhereAQuestionWasForbidden) {
  EXPECT_TRUE(wanted_to_ask({Domain::kOsStatus, -25308, {}}));
  EXPECT_TRUE(wanted_to_ask({Domain::kOsStatus, -25315, {}}));
  EXPECT_TRUE(wanted_to_ask({Domain::kLocalAuthentication, -1004, {}}));
  EXPECT_FALSE(wanted_to_ask({Domain::kOsStatus, -25293, {}}));
  EXPECT_FALSE(wanted_to_ask({Domain::kOther, -25308, {}}));
  EXPECT_TRUE(nothing_found({Domain::kOsStatus, -25300, {}}));
  EXPECT_FALSE(nothing_found({Domain::kCryptoTokenKit, -25300, {}}));
  EXPECT_TRUE(no_entitlement({Domain::kOsStatus, -34018, {}}));
}

TEST(KeychainErrors, AForkedChildIsTold) {
  ASSERT_TRUE(keychains_usable());
  const pid_t child = fork();
  if (child == 0) {
    const auto usable = keychains_usable();
    _exit(!usable && usable.error().code == ErrorCode::kIo && pkcs11::rv_of(usable.error().code) == CKR_DEVICE_ERROR
              ? 0
              : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace devtrust
