// The one file that calls Security.framework and CoreFoundation.
#include "backends/keychain/security.h"

#include <security_framework.h>

#include <array>
#include <climits>
#include <utility>

#include "identity/fork.h"

namespace devtrust::security {
namespace {

/// One reference of a type of theirs.
template <typename T>
class Owned {
 public:
  explicit Owned(T reference) : reference_(reference) {}
  ~Owned() {
    if (reference_ != nullptr) CFRelease(reference_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  T get() const { return reference_; }
  explicit operator bool() const { return reference_ != nullptr; }

 private:
  T reference_;
};

template <typename T>
T as(const Object& object) {
  return static_cast<T>(const_cast<void*>(object.get()));
}

std::string text_of(CFStringRef string) {
  if (string == nullptr) return {};
  const CFIndex room = CFStringGetMaximumSizeForEncoding(CFStringGetLength(string), kCFStringEncodingUTF8) + 1;
  std::string text(static_cast<std::size_t>(room), '\0');
  if (CFStringGetCString(string, text.data(), room, kCFStringEncodingUTF8) == 0) return {};
  text.resize(text.find('\0'));
  return text;
}

tl::unexpected<Failure> failed(OSStatus status) {
  const Owned<CFStringRef> text(SecCopyErrorMessageString(status, nullptr));
  return tl::unexpected(Failure{Domain::kOsStatus, status, text_of(text.get())});
}

/// What a function left in its CFErrorRef, which is released.
tl::unexpected<Failure> failed(CFErrorRef error) {
  if (error == nullptr) return tl::unexpected(Failure{Domain::kOther, 0, {}});
  const Owned<CFErrorRef> owned(error);
  const Owned<CFStringRef> text(CFErrorCopyDescription(error));
  const std::string name = text_of(CFErrorGetDomain(error));
  const Domain domain = name == "NSOSStatusErrorDomain"           ? Domain::kOsStatus
                        : name == "CryptoTokenKit"                ? Domain::kCryptoTokenKit
                        : name == "com.apple.LocalAuthentication" ? Domain::kLocalAuthentication
                                                                  : Domain::kOther;
  return tl::unexpected(Failure{domain, CFErrorGetCode(error), text_of(text.get())});
}

template <typename Octets>
Octets octets_of(CFDataRef data) {
  const UInt8* const first = CFDataGetBytePtr(data);
  return Octets(first, first + CFDataGetLength(data));
}

CFDataRef data_of(ByteView bytes) { return CFDataCreate(nullptr, bytes.data(), static_cast<CFIndex>(bytes.size())); }

std::vector<Object> members_of(CFArrayRef array) {
  std::vector<Object> members;
  for (CFIndex i = 0; i < CFArrayGetCount(array); ++i) {
    members.emplace_back(CFRetain(CFArrayGetValueAtIndex(array, i)));
  }
  return members;
}

template <std::size_t kSize>
CFDictionaryRef dictionary_of(const std::array<std::pair<CFStringRef, CFTypeRef>, kSize>& entries) {
  std::array<CFTypeRef, kSize> keys{};
  std::array<CFTypeRef, kSize> values{};
  for (std::size_t i = 0; i < kSize; ++i) {
    keys[i] = entries[i].first;
    values[i] = entries[i].second;
  }
  return CFDictionaryCreate(nullptr, keys.data(), values.data(), static_cast<CFIndex>(kSize),
                            &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
}

SecKeyAlgorithm constant_of(KeychainAlgorithm algorithm) {
  switch (algorithm) {
    case KeychainAlgorithm::kNone:
      break;
    case KeychainAlgorithm::kRsaSignatureRaw:
      return kSecKeyAlgorithmRSASignatureRaw;
    case KeychainAlgorithm::kRsaSignaturePkcs1Raw:
      return kSecKeyAlgorithmRSASignatureDigestPKCS1v15Raw;
    case KeychainAlgorithm::kRsaSignaturePkcs1Sha1:
      return kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA1;
    case KeychainAlgorithm::kRsaSignaturePkcs1Sha224:
      return kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA224;
    case KeychainAlgorithm::kRsaSignaturePkcs1Sha256:
      return kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256;
    case KeychainAlgorithm::kRsaSignaturePkcs1Sha384:
      return kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA384;
    case KeychainAlgorithm::kRsaSignaturePkcs1Sha512:
      return kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA512;
    case KeychainAlgorithm::kRsaSignaturePssSha1:
      return kSecKeyAlgorithmRSASignatureDigestPSSSHA1;
    case KeychainAlgorithm::kRsaSignaturePssSha224:
      return kSecKeyAlgorithmRSASignatureDigestPSSSHA224;
    case KeychainAlgorithm::kRsaSignaturePssSha256:
      return kSecKeyAlgorithmRSASignatureDigestPSSSHA256;
    case KeychainAlgorithm::kRsaSignaturePssSha384:
      return kSecKeyAlgorithmRSASignatureDigestPSSSHA384;
    case KeychainAlgorithm::kRsaSignaturePssSha512:
      return kSecKeyAlgorithmRSASignatureDigestPSSSHA512;
    case KeychainAlgorithm::kEcdsaSignatureX962:
      return kSecKeyAlgorithmECDSASignatureDigestX962;
    case KeychainAlgorithm::kEcdsaSignatureX962Sha1:
      return kSecKeyAlgorithmECDSASignatureDigestX962SHA1;
    case KeychainAlgorithm::kEcdsaSignatureX962Sha224:
      return kSecKeyAlgorithmECDSASignatureDigestX962SHA224;
    case KeychainAlgorithm::kEcdsaSignatureX962Sha256:
      return kSecKeyAlgorithmECDSASignatureDigestX962SHA256;
    case KeychainAlgorithm::kEcdsaSignatureX962Sha384:
      return kSecKeyAlgorithmECDSASignatureDigestX962SHA384;
    case KeychainAlgorithm::kEcdsaSignatureX962Sha512:
      return kSecKeyAlgorithmECDSASignatureDigestX962SHA512;
    case KeychainAlgorithm::kRsaEncryptionRaw:
      return kSecKeyAlgorithmRSAEncryptionRaw;
    case KeychainAlgorithm::kRsaEncryptionPkcs1:
      return kSecKeyAlgorithmRSAEncryptionPKCS1;
    case KeychainAlgorithm::kRsaEncryptionOaepSha1:
      return kSecKeyAlgorithmRSAEncryptionOAEPSHA1;
    case KeychainAlgorithm::kRsaEncryptionOaepSha224:
      return kSecKeyAlgorithmRSAEncryptionOAEPSHA224;
    case KeychainAlgorithm::kRsaEncryptionOaepSha256:
      return kSecKeyAlgorithmRSAEncryptionOAEPSHA256;
    case KeychainAlgorithm::kRsaEncryptionOaepSha384:
      return kSecKeyAlgorithmRSAEncryptionOAEPSHA384;
    case KeychainAlgorithm::kRsaEncryptionOaepSha512:
      return kSecKeyAlgorithmRSAEncryptionOAEPSHA512;
    case KeychainAlgorithm::kEcdhStandard:
      return kSecKeyAlgorithmECDHKeyExchangeStandard;
  }
  return nullptr;
}

Outcome<std::vector<Object>> keychains_of(SecPreferencesDomain domain) {
  CFArrayRef found = nullptr;
  const OSStatus status = SecKeychainCopyDomainSearchList(domain, &found);
  const Owned<CFArrayRef> array(found);
  if (status != errSecSuccess) return failed(status);
  return members_of(array.get());
}

}  // namespace

Object::Object(const Object& other) : reference_(other.reference_) {
  if (reference_ != nullptr) CFRetain(reference_);
}

Object::~Object() {
  // In a forked child nothing of theirs may be called: the child's copy stays.
  if (reference_ != nullptr && fork_number() == 0) CFRelease(reference_);
}

Outcome<Object> open_keychain(const std::string& path) {
  SecKeychainRef keychain = nullptr;
  const OSStatus status = SecKeychainOpen(path.c_str(), &keychain);
  if (status != errSecSuccess) return failed(status);
  return Object(keychain);
}

Outcome<KeychainState> state_of(const Object& keychain) {
  SecKeychainStatus state = 0;
  const OSStatus status = SecKeychainGetStatus(as<SecKeychainRef>(keychain), &state);
  if (status != errSecSuccess) return failed(status);
  return KeychainState{(state & kSecUnlockStateStatus) != 0, (state & kSecReadPermStatus) != 0};
}

Outcome<std::string> path_of(const Object& keychain) {
  std::array<char, PATH_MAX> path{};
  auto length = static_cast<UInt32>(path.size());
  const OSStatus status = SecKeychainGetPath(as<SecKeychainRef>(keychain), &length, path.data());
  if (status != errSecSuccess) return failed(status);
  return std::string(path.data(), length);
}

Outcome<std::vector<Object>> user_keychains() { return keychains_of(kSecPreferencesDomainUser); }
Outcome<std::vector<Object>> system_keychains() { return keychains_of(kSecPreferencesDomainSystem); }

Outcome<bool> interaction_allowed() {
  Boolean allowed = 0;
  const OSStatus status = SecKeychainGetUserInteractionAllowed(&allowed);
  if (status != errSecSuccess) return failed(status);
  return allowed != 0;
}

void allow_interaction(bool allowed) { SecKeychainSetUserInteractionAllowed(allowed ? 1 : 0); }

Outcome<std::vector<Object>> items(const Object& keychain, ItemClass item_class, bool silent) {
  using Entry = std::pair<CFStringRef, CFTypeRef>;
  const Entry wanted(kSecClass, item_class == ItemClass::kIdentity ? kSecClassIdentity : kSecClassCertificate);
  const Entry as_references(kSecReturnRef, kCFBooleanTrue);
  const Entry all(kSecMatchLimit, kSecMatchLimitAll);
  const void* place = keychain.get();
  const Owned<CFArrayRef> places(keychain ? CFArrayCreate(nullptr, &place, 1, &kCFTypeArrayCallBacks) : nullptr);
  const Entry asking(kSecUseAuthenticationUI, silent ? kSecUseAuthenticationUIFail : kSecUseAuthenticationUIAllow);
  const Owned<CFDictionaryRef> query(
      keychain ? dictionary_of(std::array{wanted, as_references, all, Entry(kSecMatchSearchList, places.get())})
               : dictionary_of(std::array{wanted, as_references, all, asking,
                                          Entry(kSecUseDataProtectionKeychain, kCFBooleanTrue)}));
  CFTypeRef found = nullptr;
  const OSStatus status = SecItemCopyMatching(query.get(), &found);
  const Owned<CFTypeRef> array(found);
  if (status != errSecSuccess) return failed(status);
  return members_of(static_cast<CFArrayRef>(array.get()));
}

Outcome<Object> keychain_of(const Object& certificate) {
  SecKeychainRef keychain = nullptr;
  const OSStatus status = SecKeychainItemCopyKeychain(as<SecKeychainItemRef>(certificate), &keychain);
  if (status != errSecSuccess) return failed(status);
  return Object(keychain);
}

Outcome<Object> certificate_of(const Object& identity) {
  SecCertificateRef certificate = nullptr;
  const OSStatus status = SecIdentityCopyCertificate(as<SecIdentityRef>(identity), &certificate);
  if (status != errSecSuccess) return failed(status);
  return Object(certificate);
}

Outcome<Bytes> der_of(const Object& certificate) {
  const Owned<CFDataRef> data(SecCertificateCopyData(as<SecCertificateRef>(certificate)));
  if (!data) return failed(errSecInvalidItemRef);
  return octets_of<Bytes>(data.get());
}

Outcome<Object> private_key_of(const Object& identity) {
  SecKeyRef key = nullptr;
  const OSStatus status = SecIdentityCopyPrivateKey(as<SecIdentityRef>(identity), &key);
  if (status != errSecSuccess) return failed(status);
  return Object(key);
}

Bytes public_part_of(const Object& private_key) {
  const Owned<SecKeyRef> public_key(SecKeyCopyPublicKey(as<SecKeyRef>(private_key)));
  if (!public_key) return {};
  CFErrorRef error = nullptr;
  const Owned<CFDataRef> data(SecKeyCopyExternalRepresentation(public_key.get(), &error));
  const Owned<CFErrorRef> reason(error);
  return data ? octets_of<Bytes>(data.get()) : Bytes();
}

bool supports(const Object& private_key, KeyUse use, KeychainAlgorithm algorithm) {
  const SecKeyOperationType operation = use == KeyUse::kSign      ? kSecKeyOperationTypeSign
                                        : use == KeyUse::kDecrypt ? kSecKeyOperationTypeDecrypt
                                                                  : kSecKeyOperationTypeKeyExchange;
  return SecKeyIsAlgorithmSupported(as<SecKeyRef>(private_key), operation, constant_of(algorithm)) != 0;
}

Outcome<Bytes> sign(const Object& private_key, KeychainAlgorithm algorithm, ByteView input) {
  const Owned<CFDataRef> data(data_of(input));
  CFErrorRef error = nullptr;
  const Owned<CFDataRef> signature(
      SecKeyCreateSignature(as<SecKeyRef>(private_key), constant_of(algorithm), data.get(), &error));
  if (!signature) return failed(error);
  return octets_of<Bytes>(signature.get());
}

Outcome<SecureBytes> decrypt(const Object& private_key, KeychainAlgorithm algorithm, ByteView ciphertext) {
  const Owned<CFDataRef> data(data_of(ciphertext));
  CFErrorRef error = nullptr;
  const Owned<CFDataRef> plaintext(
      SecKeyCreateDecryptedData(as<SecKeyRef>(private_key), constant_of(algorithm), data.get(), &error));
  if (!plaintext) return failed(error);
  return octets_of<SecureBytes>(plaintext.get());
}

Outcome<SecureBytes> exchange(const Object& private_key, ByteView peer) {
  using Entry = std::pair<CFStringRef, CFTypeRef>;
  const Owned<CFDictionaryRef> attributes(dictionary_of(std::array{
      Entry(kSecAttrKeyType, kSecAttrKeyTypeECSECPrimeRandom), Entry(kSecAttrKeyClass, kSecAttrKeyClassPublic)}));
  const Owned<CFDataRef> point(data_of(peer));
  CFErrorRef error = nullptr;
  const Owned<SecKeyRef> peer_key(SecKeyCreateWithData(point.get(), attributes.get(), &error));
  if (!peer_key) return failed(error);
  const Owned<CFDictionaryRef> parameters(dictionary_of(std::array<Entry, 0>{}));
  const Owned<CFDataRef> secret(SecKeyCopyKeyExchangeResult(as<SecKeyRef>(private_key),
                                                            constant_of(KeychainAlgorithm::kEcdhStandard),
                                                            peer_key.get(), parameters.get(), &error));
  if (!secret) return failed(error);
  return octets_of<SecureBytes>(secret.get());
}

}  // namespace devtrust::security
