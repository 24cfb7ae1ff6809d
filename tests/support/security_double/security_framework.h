// Declarations of what backends/keychain uses of CoreFoundation and Security.framework, written from Apple's public
// documentation. Names are theirs; double.h says what stands behind them.
#pragma once

#include <cstdint>

// NOLINTBEGIN(readability-identifier-naming,modernize-use-using)
extern "C" {

typedef const void* CFTypeRef;
typedef long CFIndex;
typedef unsigned char Boolean;
typedef std::uint8_t UInt8;
typedef std::uint32_t UInt32;
typedef std::int32_t OSStatus;
typedef UInt32 CFStringEncoding;
typedef const struct DoubleAllocator* CFAllocatorRef;
typedef const struct DoubleString* CFStringRef;
typedef const struct DoubleData* CFDataRef;
typedef const struct DoubleArray* CFArrayRef;
typedef const struct DoubleDictionary* CFDictionaryRef;
typedef const struct DoubleBoolean* CFBooleanRef;
typedef struct DoubleError* CFErrorRef;
struct CFArrayCallBacks {
  CFIndex version;
};
struct CFDictionaryKeyCallBacks {
  CFIndex version;
};
struct CFDictionaryValueCallBacks {
  CFIndex version;
};

extern const CFArrayCallBacks kCFTypeArrayCallBacks;
extern const CFDictionaryKeyCallBacks kCFTypeDictionaryKeyCallBacks;
extern const CFDictionaryValueCallBacks kCFTypeDictionaryValueCallBacks;
extern const CFBooleanRef kCFBooleanTrue;
enum : CFStringEncoding { kCFStringEncodingUTF8 = 0x08000100 };

CFTypeRef CFRetain(CFTypeRef object);
void CFRelease(CFTypeRef object);
CFIndex CFStringGetLength(CFStringRef string);
CFIndex CFStringGetMaximumSizeForEncoding(CFIndex length, CFStringEncoding encoding);
Boolean CFStringGetCString(CFStringRef string, char* buffer, CFIndex size, CFStringEncoding encoding);
CFDataRef CFDataCreate(CFAllocatorRef allocator, const UInt8* bytes, CFIndex length);
const UInt8* CFDataGetBytePtr(CFDataRef data);
CFIndex CFDataGetLength(CFDataRef data);
CFArrayRef CFArrayCreate(CFAllocatorRef allocator, const void** values, CFIndex count,
                         const CFArrayCallBacks* callbacks);
CFIndex CFArrayGetCount(CFArrayRef array);
const void* CFArrayGetValueAtIndex(CFArrayRef array, CFIndex index);
CFDictionaryRef CFDictionaryCreate(CFAllocatorRef allocator, const void** keys, const void** values, CFIndex count,
                                   const CFDictionaryKeyCallBacks* key_callbacks,
                                   const CFDictionaryValueCallBacks* value_callbacks);
CFStringRef CFErrorGetDomain(CFErrorRef error);
CFIndex CFErrorGetCode(CFErrorRef error);
CFStringRef CFErrorCopyDescription(CFErrorRef error);

typedef struct DoubleKeychain* SecKeychainRef;
typedef struct DoubleItem* SecKeychainItemRef;
typedef struct DoubleIdentity* SecIdentityRef;
typedef struct DoubleCertificate* SecCertificateRef;
typedef struct DoubleKey* SecKeyRef;
typedef CFStringRef SecKeyAlgorithm;
typedef UInt32 SecKeychainStatus;

enum : OSStatus {
  errSecSuccess = 0,
  errSecParam = -50,
  errSecUserCanceled = -128,
  errSecAuthFailed = -25293,
  errSecNoSuchKeychain = -25294,
  errSecInvalidKeychain = -25295,
  errSecItemNotFound = -25300,
  errSecBufferTooSmall = -25301,
  errSecInvalidItemRef = -25304,
  errSecInteractionNotAllowed = -25308,
  errSecMissingEntitlement = -34018,
};
enum : SecKeychainStatus { kSecUnlockStateStatus = 1, kSecReadPermStatus = 2, kSecWritePermStatus = 4 };
enum SecPreferencesDomain : int {
  kSecPreferencesDomainUser = 0,
  kSecPreferencesDomainSystem = 1,
  kSecPreferencesDomainCommon = 2,
  kSecPreferencesDomainDynamic = 3,
};
enum SecKeyOperationType : CFIndex {
  kSecKeyOperationTypeSign = 0,
  kSecKeyOperationTypeVerify = 1,
  kSecKeyOperationTypeEncrypt = 2,
  kSecKeyOperationTypeDecrypt = 3,
  kSecKeyOperationTypeKeyExchange = 4,
};

extern const CFStringRef kSecClass;
extern const CFStringRef kSecClassIdentity;
extern const CFStringRef kSecClassCertificate;
extern const CFStringRef kSecReturnRef;
extern const CFStringRef kSecMatchLimit;
extern const CFStringRef kSecMatchLimitAll;
extern const CFStringRef kSecMatchSearchList;
extern const CFStringRef kSecUseDataProtectionKeychain;
extern const CFStringRef kSecUseAuthenticationUI;
extern const CFStringRef kSecUseAuthenticationUIAllow;
extern const CFStringRef kSecUseAuthenticationUIFail;
extern const CFStringRef kSecAttrKeyType;
extern const CFStringRef kSecAttrKeyTypeECSECPrimeRandom;
extern const CFStringRef kSecAttrKeyClass;
extern const CFStringRef kSecAttrKeyClassPublic;

extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureRaw;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPKCS1v15Raw;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA1;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA224;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA384;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA512;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPSSSHA1;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPSSSHA224;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPSSSHA256;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPSSSHA384;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSASignatureDigestPSSSHA512;
extern const SecKeyAlgorithm kSecKeyAlgorithmECDSASignatureDigestX962;
extern const SecKeyAlgorithm kSecKeyAlgorithmECDSASignatureDigestX962SHA1;
extern const SecKeyAlgorithm kSecKeyAlgorithmECDSASignatureDigestX962SHA224;
extern const SecKeyAlgorithm kSecKeyAlgorithmECDSASignatureDigestX962SHA256;
extern const SecKeyAlgorithm kSecKeyAlgorithmECDSASignatureDigestX962SHA384;
extern const SecKeyAlgorithm kSecKeyAlgorithmECDSASignatureDigestX962SHA512;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSAEncryptionRaw;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSAEncryptionPKCS1;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSAEncryptionOAEPSHA1;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSAEncryptionOAEPSHA224;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSAEncryptionOAEPSHA256;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSAEncryptionOAEPSHA384;
extern const SecKeyAlgorithm kSecKeyAlgorithmRSAEncryptionOAEPSHA512;
extern const SecKeyAlgorithm kSecKeyAlgorithmECDHKeyExchangeStandard;

CFStringRef SecCopyErrorMessageString(OSStatus status, void* reserved);
OSStatus SecKeychainOpen(const char* path, SecKeychainRef* keychain);
OSStatus SecKeychainGetStatus(SecKeychainRef keychain, SecKeychainStatus* status);
OSStatus SecKeychainGetPath(SecKeychainRef keychain, UInt32* length, char* path);
OSStatus SecKeychainCopyDomainSearchList(SecPreferencesDomain domain, CFArrayRef* list);
OSStatus SecKeychainSetUserInteractionAllowed(Boolean state);
OSStatus SecKeychainGetUserInteractionAllowed(Boolean* state);
OSStatus SecKeychainItemCopyKeychain(SecKeychainItemRef item, SecKeychainRef* keychain);
OSStatus SecItemCopyMatching(CFDictionaryRef query, CFTypeRef* result);
OSStatus SecIdentityCopyCertificate(SecIdentityRef identity, SecCertificateRef* certificate);
OSStatus SecIdentityCopyPrivateKey(SecIdentityRef identity, SecKeyRef* key);
CFDataRef SecCertificateCopyData(SecCertificateRef certificate);
SecKeyRef SecKeyCopyPublicKey(SecKeyRef key);
CFDataRef SecKeyCopyExternalRepresentation(SecKeyRef key, CFErrorRef* error);
SecKeyRef SecKeyCreateWithData(CFDataRef data, CFDictionaryRef attributes, CFErrorRef* error);
Boolean SecKeyIsAlgorithmSupported(SecKeyRef key, SecKeyOperationType operation, SecKeyAlgorithm algorithm);
CFDataRef SecKeyCreateSignature(SecKeyRef key, SecKeyAlgorithm algorithm, CFDataRef data, CFErrorRef* error);
CFDataRef SecKeyCreateDecryptedData(SecKeyRef key, SecKeyAlgorithm algorithm, CFDataRef data, CFErrorRef* error);
CFDataRef SecKeyCopyKeyExchangeResult(SecKeyRef key, SecKeyAlgorithm algorithm, SecKeyRef peer,
                                      CFDictionaryRef parameters, CFErrorRef* error);

}  // extern "C"
// NOLINTEND(readability-identifier-naming,modernize-use-using)
