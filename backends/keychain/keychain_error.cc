#include "backends/keychain/keychain_error.h"

#include <algorithm>
#include <array>
#include <span>

#include "identity/fork.h"

namespace devtrust {
namespace {

using security::Domain;
using security::Failure;

struct Row {
  long code;
  ErrorCode kind;
  const char* message;
};

// OSStatus values, as SecBase.h and MacErrors.h number them.
constexpr long kMissingEntitlement = -34018;
constexpr long kItemNotFound = -25300;

constexpr const char* kAsks =
    "macOS asks the user before this program may use the private key: list the program in the agent's settings, or "
    "set prompt = true in the configuration's [[store]] and answer \"Always Allow\" once";
constexpr const char* kRefused = "the user refused the use of the keychain";
constexpr const char* kGone = "it is not in the keychain any more: let the agent enrol the device again";
constexpr const char* kForbidden =
    "macOS does not let this program use the item: list the program in the agent's settings";
constexpr const char* kNoService = "macOS' security services do not answer: log in again, or restart the computer";
// Also, as people meet it, of a key that is refused.
constexpr const char* kInternalComponent =
    "macOS' security services failed, as they also do where a key's access list does not name this program and nobody "
    "can "
    "be asked: see the agent's settings, else log in again";
constexpr const char* kNoKeychain = "the keychain is not there";
constexpr const char* kDamaged =
    "the keychain or the key in it is damaged: delete the keychain with security delete-keychain, and let the agent "
    "enrol the device again";
constexpr const char* kCannot = "the private key cannot do this in its keychain";
constexpr const char* kBadData = "the private key does not take this data";
constexpr const char* kNotReady = "the keychain is not ready yet: try again once the user has logged in";
constexpr const char* kFault = "macOS refused a call of ours, which is a fault of this program: report it";
constexpr const char* kNoMemory = "macOS has no memory left for the keychain";
constexpr const char* kNoCard = "the token that holds the private key is not there: insert it";
constexpr const char* kCardFailed = "the token that holds the private key failed: insert it anew";
constexpr const char* kReadOnly = "the keychain cannot be written, which this program does not do: report it";

constexpr std::array kStatuses{
    Row{/*errSecUnimplemented*/ -4, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecDiskFull*/ -34, ErrorCode::kIo, "the disk is full"},
    Row{/*errSecIO*/ -36, ErrorCode::kIo, "the keychain cannot be read: look at the disk's state"},
    Row{/*errSecOpWr*/ -49, ErrorCode::kBusy, "another program writes the keychain: try again"},
    Row{/*errSecParam*/ -50, ErrorCode::kInvalidArgument, kBadData},
    Row{/*errSecWrPerm*/ -61, ErrorCode::kAccessDenied, kReadOnly},
    Row{/*errSecAllocate*/ -108, ErrorCode::kInternal, kNoMemory},
    Row{/*errSecUserCanceled*/ -128, ErrorCode::kAccessDenied, kRefused},
    Row{/*errSecBadReq*/ -909, ErrorCode::kInternal, kFault},
    Row{/*errSecInternalComponent*/ -2070, ErrorCode::kIo, kInternalComponent},
    Row{/*errSecCoreFoundationUnknown*/ -4960, ErrorCode::kInternal, kFault},
    Row{kMissingEntitlement, ErrorCode::kAccessDenied,
        "the data-protection keychain is open to signed programs with an entitlement only"},
    Row{/*errSecRestrictedAPI*/ -34020, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecACLNotSimple*/ -25240, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecNoAccessForItem*/ -25243, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecInvalidOwnerEdit*/ -25244, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecUnsupportedFormat*/ -25256, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecUnknownFormat*/ -25257, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecKeyIsSensitive*/ -25258, ErrorCode::kAccessDenied, "the private key does not leave its keychain"},
    Row{/*errSecMultiplePrivKeys*/ -25259, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecPassphraseRequired*/ -25260, ErrorCode::kAccessDenied, kAsks},
    Row{/*errSecInvalidPasswordRef*/ -25261, ErrorCode::kInternal, kFault},
    Row{/*errSecNotAvailable*/ -25291, ErrorCode::kBusy, kNotReady},
    Row{/*errSecReadOnly*/ -25292, ErrorCode::kAccessDenied, kReadOnly},
    Row{/*errSecAuthFailed*/ -25293, ErrorCode::kAccessDenied,
        "macOS did not accept the password for the keychain, or this program may not use the private key: unlock the "
        "keychain with security unlock-keychain, or list the program in the agent's settings"},
    Row{/*errSecNoSuchKeychain*/ -25294, ErrorCode::kNotFound, kNoKeychain},
    Row{/*errSecInvalidKeychain*/ -25295, ErrorCode::kCorrupt, "it is not a keychain, or a damaged one"},
    Row{/*errSecDuplicateKeychain*/ -25296, ErrorCode::kInternal, kFault},
    Row{/*errSecDuplicateCallback*/ -25297, ErrorCode::kInternal, kFault},
    Row{/*errSecInvalidCallback*/ -25298, ErrorCode::kInternal, kFault},
    Row{/*errSecDuplicateItem*/ -25299, ErrorCode::kInternal, kFault},
    Row{kItemNotFound, ErrorCode::kNotFound, kGone},
    Row{/*errSecBufferTooSmall*/ -25301, ErrorCode::kInternal, kFault},
    Row{/*errSecDataTooLarge*/ -25302, ErrorCode::kInvalidArgument, kBadData},
    Row{/*errSecNoSuchAttr*/ -25303, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecInvalidItemRef*/ -25304, ErrorCode::kNotFound, kGone},
    Row{/*errSecInvalidSearchRef*/ -25305, ErrorCode::kInternal, kFault},
    Row{/*errSecNoSuchClass*/ -25306, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecNoDefaultKeychain*/ -25307, ErrorCode::kNotFound, kNoKeychain},
    Row{/*errSecInteractionNotAllowed*/ -25308, ErrorCode::kAccessDenied, kAsks},
    Row{/*errSecReadOnlyAttr*/ -25309, ErrorCode::kAccessDenied, kReadOnly},
    Row{/*errSecWrongSecVersion*/ -25310, ErrorCode::kCorrupt,
        "a newer macOS wrote the keychain: this one cannot read it"},
    Row{/*errSecKeySizeNotAllowed*/ -25311, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecNoStorageModule*/ -25312, ErrorCode::kIo, kNoService},
    Row{/*errSecNoCertificateModule*/ -25313, ErrorCode::kIo, kNoService},
    Row{/*errSecNoPolicyModule*/ -25314, ErrorCode::kIo, kNoService},
    Row{/*errSecInteractionRequired*/ -25315, ErrorCode::kAccessDenied, kAsks},
    Row{/*errSecDataNotAvailable*/ -25316, ErrorCode::kBusy, kNotReady},
    Row{/*errSecDataNotModifiable*/ -25317, ErrorCode::kAccessDenied, kReadOnly},
    Row{/*errSecCreateChainFailed*/ -25318, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecInvalidPrefsDomain*/ -25319, ErrorCode::kInternal, kFault},
    Row{/*errSecInDarkWake*/ -25320, ErrorCode::kBusy,
        "the computer sleeps and cannot ask the user: try again once it is awake"},
    Row{/*errSecDecode*/ -26275, ErrorCode::kInvalidArgument, kBadData},
    Row{/*errSecServiceNotAvailable*/ -67585, ErrorCode::kIo, kNoService},
    Row{/*errSecInsufficientClientID*/ -67586, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecDeviceReset*/ -67587, ErrorCode::kIo, kCardFailed},
    Row{/*errSecDeviceFailed*/ -67588, ErrorCode::kIo, kCardFailed},
    Row{/*errSecAppleAddAppACLSubject*/ -67589, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecApplePublicKeyIncomplete*/ -67590, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecConversionError*/ -67594, ErrorCode::kInternal, kFault},
    Row{/*errSecInvalidDatabaseBlob*/ -67598, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecInvalidKeyBlob*/ -67599, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecIncompatibleDatabaseBlob*/ -67600, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecIncompatibleKeyBlob*/ -67601, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecRecordModified*/ -67638, ErrorCode::kIo, kGone},
    Row{/*errSecNotInitialized*/ -67667, ErrorCode::kIo, kNoService},
    Row{/*errSecInternalError*/ -67671, ErrorCode::kIo, kNoService},
    Row{/*errSecMemoryError*/ -67672, ErrorCode::kInternal, kNoMemory},
    Row{/*errSecInvalidData*/ -67673, ErrorCode::kInvalidArgument, kBadData},
    Row{/*errSecFunctionFailed*/ -67677, ErrorCode::kIo, kNoService},
    Row{/*errSecInvalidHandle*/ -67680, ErrorCode::kIo, kGone},
    Row{/*errSecInvalidCertificateRef*/ -67690, ErrorCode::kIo, kGone},
    Row{/*errSecInvalidAccessCredentials*/ -67700, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecInvalidRecord*/ -67701, ErrorCode::kIo, kGone},
    Row{/*errSecInvalidACL*/ -67702, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecPrivilegeNotGranted*/ -67705, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecInvalidKeyRef*/ -67712, ErrorCode::kIo, kGone},
    Row{/*errSecInputLengthError*/ -67724, ErrorCode::kInvalidArgument, kBadData},
    Row{/*errSecOutputLengthError*/ -67725, ErrorCode::kInternal, kFault},
    Row{/*errSecPrivilegeNotSupported*/ -67726, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecDeviceError*/ -67727, ErrorCode::kIo, kCardFailed},
    Row{/*errSecAttachHandleBusy*/ -67728, ErrorCode::kBusy, "another program uses the keychain: try again"},
    Row{/*errSecNotLoggedIn*/ -67729, ErrorCode::kAccessDenied, kAsks},
    Row{/*errSecAlgorithmMismatch*/ -67730, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecKeyUsageIncorrect*/ -67731, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecKeyBlobTypeIncorrect*/ -67732, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecKeyHeaderInconsistent*/ -67733, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecUnsupportedKeyFormat*/ -67734, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecUnsupportedKeySize*/ -67735, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecInvalidKeyUsageMask*/ -67736, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecUnsupportedKeyUsageMask*/ -67737, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecInvalidKeyFormat*/ -67742, ErrorCode::kCorrupt, kDamaged},
    Row{/*errSecInvalidInputVector*/ -67744, ErrorCode::kInvalidArgument, kBadData},
    Row{/*errSecInvalidAlgorithm*/ -67747, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecBlockSizeMismatch*/ -67810, ErrorCode::kInvalidArgument, kBadData},
    Row{/*errSecPublicKeyInconsistent*/ -67811, ErrorCode::kKeyMismatch,
        "the private key does not belong to the certificate"},
    Row{/*errSecDeviceVerifyFailed*/ -67812, ErrorCode::kIo, kCardFailed},
    Row{/*errSecInvalidDigestAlgorithm*/ -67815, ErrorCode::kUnsupported, kCannot},
    Row{/*errSecInsufficientCredentials*/ -67822, ErrorCode::kAccessDenied, kForbidden},
    Row{/*errSecDatabaseLocked*/ -67869, ErrorCode::kAccessDenied,
        "the keychain is locked: unlock it with security unlock-keychain"},
    Row{/*errSecDatastoreIsOpen*/ -67870, ErrorCode::kBusy, "another program uses the keychain: try again"},
};

// TKErrorCode…: keys on cards, and others that an extension of somebody's brings.
constexpr std::array kTokenErrors{
    Row{/*NotImplemented*/ -1, ErrorCode::kUnsupported, kCannot},
    Row{/*CommunicationError*/ -2, ErrorCode::kIo, kCardFailed},
    Row{/*CorruptedData*/ -3, ErrorCode::kCorrupt, kDamaged},
    Row{/*CanceledByUser*/ -4, ErrorCode::kAccessDenied, kRefused},
    Row{/*AuthenticationFailed*/ -5, ErrorCode::kAccessDenied, "the token that holds the private key refused the PIN"},
    Row{/*ObjectNotFound*/ -6, ErrorCode::kNotFound, kGone},
    Row{/*TokenNotFound*/ -7, ErrorCode::kIo, kNoCard},
    Row{/*BadParameter*/ -8, ErrorCode::kInvalidArgument, kBadData},
    Row{/*AuthenticationNeeded*/ -9, ErrorCode::kAccessDenied, kAsks},
};

// LAError…: keys behind Touch ID.
constexpr std::array kAuthenticationErrors{
    Row{/*authenticationFailed*/ -1, ErrorCode::kAccessDenied, kRefused},
    Row{/*userCancel*/ -2, ErrorCode::kAccessDenied, kRefused},
    Row{/*systemCancel*/ -4, ErrorCode::kAccessDenied, kRefused},
    Row{/*appCancel*/ -9, ErrorCode::kAccessDenied, kRefused},
    Row{/*notInteractive*/ -1004, ErrorCode::kAccessDenied, kAsks},
};

std::span<const Row> rows_of(Domain domain) {
  switch (domain) {
    case Domain::kOsStatus:
      return kStatuses;
    case Domain::kCryptoTokenKit:
      return kTokenErrors;
    case Domain::kLocalAuthentication:
      return kAuthenticationErrors;
    case Domain::kOther:
      break;
  }
  return {};
}

const Row* row_of(const Failure& failure) {
  const auto rows = rows_of(failure.domain);
  const auto known = std::ranges::find(rows, failure.code, &Row::code);
  return known != rows.end() ? &*known : nullptr;
}

bool is_status(const Failure& failure, long code) {
  return failure.domain == Domain::kOsStatus && failure.code == code;
}

}  // namespace

Error keychain_error(const Failure& failure) {
  if (const Row* row = row_of(failure)) return {row->kind, row->message};
  return {ErrorCode::kIo, "macOS cannot use the keychain: " +
                              (failure.text.empty() ? std::string("it does not say why") : failure.text) + " (" +
                              std::to_string(failure.code) + ')'};
}

Error keychain_decryption_error(const Failure& failure) {
  Error error = keychain_error(failure);
  if (error.code != ErrorCode::kInvalidArgument) return error;
  return {ErrorCode::kDecryptionFailed, "the data was not encrypted for this key"};
}

bool wanted_to_ask(const Failure& failure) {
  const Row* row = row_of(failure);
  return row != nullptr && row->message == kAsks;
}

bool nothing_found(const Failure& failure) { return is_status(failure, kItemNotFound); }
bool no_entitlement(const Failure& failure) { return is_status(failure, kMissingEntitlement); }

Result<void> keychains_usable() {
  if (fork_number() == 0) return {};
  return fail(
      ErrorCode::kIo,
      "a forked process cannot use macOS' keychains, since it has not started a program of its own: start it anew, or "
      "let it run in the foreground");
}

}  // namespace devtrust
