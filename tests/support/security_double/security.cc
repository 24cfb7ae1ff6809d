// Keychains, their items, and keys that OpenSSL holds.
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <sstream>

#include "tests/support/security_double/double.h"
#include "tests/support/security_double/objects.h"

using namespace devtrust::testing::security_double;  // NOLINT(google-build-using-namespace)
namespace fs = std::filesystem;

struct DoubleKeychain final : Object {
  explicit DoubleKeychain(std::string its_path) : Object(Kind::kKeychain), path(std::move(its_path)) {}
  const std::string path;
};
/// What is in a keychain; `keychain` is its path, and empty for the data-protection keychain.
struct DoubleItem : Object {
  DoubleItem(Kind its_kind, std::string its_keychain) : Object(its_kind), keychain(std::move(its_keychain)) {}
  const std::string keychain;
};
struct DoubleCertificate final : DoubleItem {
  DoubleCertificate(std::string its_keychain, std::vector<std::uint8_t> its_der)
      : DoubleItem(Kind::kCertificate, std::move(its_keychain)), der(std::move(its_der)) {}
  const std::vector<std::uint8_t> der;
};
struct DoubleKey final : DoubleItem {
  DoubleKey(std::string its_keychain, DoubleKeyPtr its_key, bool is_silent)
      : DoubleItem(Kind::kKey, std::move(its_keychain)), key(std::move(its_key)), silent(is_silent) {}
  const DoubleKeyPtr key;
  const bool silent;
};
struct DoubleIdentity final : DoubleItem {
  DoubleIdentity(std::string its_keychain, std::vector<std::uint8_t> its_der, DoubleKeyPtr its_key, bool is_silent)
      : DoubleItem(Kind::kIdentity, std::move(its_keychain)),
        der(std::move(its_der)),
        key(std::move(its_key)),
        silent(is_silent) {}
  const std::vector<std::uint8_t> der;
  const DoubleKeyPtr key;
  const bool silent;
};

namespace {

constexpr const char* kFirstLine = "keychain";
std::atomic<bool> interaction{true};
std::atomic<std::size_t> dialogs{0};
std::atomic<std::size_t> shorten{0};

std::string home() {
  const char* value = std::getenv("HOME");
  return value != nullptr ? value : "";
}
std::string data_protection_path() { return home() + "/Library/Keychains/data-protection"; }

/// What stands before the PEM blocks.
struct Settings {
  bool there = false, valid = false, locked = false, asks = false, refused = false, wrong_password = false,
       unreadable = false, mismatch = false;
  std::vector<std::string> also, lacks;
};

Settings read_settings(const std::string& path) {
  Settings settings;
  std::ifstream file(path);
  std::string line;
  settings.there = file.is_open();
  settings.valid = static_cast<bool>(std::getline(file, line)) && line == kFirstLine;
  while (std::getline(file, line) && !line.starts_with("-----")) {
    settings.locked |= line == "locked";
    settings.asks |= line == "asks";
    settings.refused |= line == "refused";
    settings.wrong_password |= line == "wrong-password";
    settings.unreadable |= line == "unreadable";
    settings.mismatch |= line == "mismatch";
    if (line.starts_with("also ")) settings.also.push_back(line.substr(5));
    if (line.starts_with("lacks ")) settings.lacks.push_back(line.substr(6));
  }
  return settings;
}

struct Contents {
  std::vector<std::vector<std::uint8_t>> certificates;
  std::vector<DoubleKeyPtr> keys;
};

/// Decoded once: refreshes read the same ones again and again.
DoubleKeyPtr parsed_key(const unsigned char* der, long length) {
  static std::mutex mutex;
  static std::map<std::string, DoubleKeyPtr> known;
  const std::lock_guard guard(mutex);
  DoubleKeyPtr& key = known[std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length))];
  if (key == nullptr) key = DoubleKeyPtr(d2i_AutoPrivateKey(nullptr, &der, length), EVP_PKEY_free);
  return key;
}

Contents read_contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const std::string pem = text.str();
  Contents contents;
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  long length = 0;
  while (PEM_read_bio(bio, &name, &header, &der, &length) == 1) {
    if (std::strcmp(name, "CERTIFICATE") == 0) {
      contents.certificates.emplace_back(der, der + length);
    } else {
      contents.keys.push_back(parsed_key(der, length));
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
  }
  BIO_free(bio);
  return contents;
}

DoubleKeyPtr key_of(const std::vector<std::uint8_t>& certificate, const std::vector<DoubleKeyPtr>& keys, bool its_own) {
  const unsigned char* position = certificate.data();
  X509* parsed = d2i_X509(nullptr, &position, static_cast<long>(certificate.size()));
  if (parsed == nullptr) return nullptr;
  const auto belongs = [&](const DoubleKeyPtr& key) { return X509_check_private_key(parsed, key.get()) == 1; };
  const auto own = std::ranges::find_if(keys, belongs);
  const auto other = std::ranges::find_if_not(keys, belongs);
  X509_free(parsed);
  if (own == keys.end()) return nullptr;
  return its_own || other == keys.end() ? *own : *other;
}

template <typename T, typename... Arguments>
T* make(Arguments&&... arguments) {
  return static_cast<T*>(const_cast<void*>(adopt(std::make_unique<T>(std::forward<Arguments>(arguments)...))));
}

/// The array holds on to it; the caller does not any more.
void give(DoubleArray& array, CFTypeRef object) {
  array.values.push_back(std::make_unique<Held>(object));
  CFRelease(object);
}

std::string end_of_name(SecKeyAlgorithm algorithm) {
  return text_of(algorithm).substr(std::strlen("kSecKeyAlgorithm"));
}

/// The digest that an algorithm's name ends with; null where it ends with none.
const EVP_MD* digest_of(const std::string& algorithm) {
  if (algorithm.ends_with("SHA1")) return EVP_sha1();
  if (algorithm.ends_with("SHA224")) return EVP_sha224();
  if (algorithm.ends_with("SHA256")) return EVP_sha256();
  if (algorithm.ends_with("SHA384")) return EVP_sha384();
  if (algorithm.ends_with("SHA512")) return EVP_sha512();
  return nullptr;
}

using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
ContextPtr context_of(const DoubleKey& key) {
  return {EVP_PKEY_CTX_new_from_pkey(nullptr, key.key.get(), nullptr), EVP_PKEY_CTX_free};
}

/// errSecSuccess, or why the key may not be used now.
OSStatus leave_to_use(const DoubleKey& key) {
  const Settings settings = read_settings(key.keychain.empty() ? data_protection_path() : key.keychain);
  if (settings.wrong_password) return errSecAuthFailed;
  if (!settings.locked && !settings.asks) return errSecSuccess;
  if (!interaction || key.silent) return errSecInteractionNotAllowed;
  ++dialogs;
  return settings.refused ? errSecUserCanceled : errSecSuccess;
}

bool is_supported(const DoubleKey& key, SecKeyOperationType operation, SecKeyAlgorithm algorithm) {
  if (algorithm == nullptr) misuse("SecKeyIsAlgorithmSupported", "no algorithm");
  const std::string name = end_of_name(algorithm);
  const bool rsa = EVP_PKEY_is_a(key.key.get(), "RSA") == 1;
  const bool ec = EVP_PKEY_is_a(key.key.get(), "EC") == 1;
  const Settings settings = read_settings(key.keychain.empty() ? data_protection_path() : key.keychain);
  if (std::ranges::find(settings.lacks, name) != settings.lacks.end()) return false;
  switch (operation) {
    case kSecKeyOperationTypeSign: {
      const EVP_MD* digest = digest_of(name);
      // A salt as long as the digest has to fit.
      const bool fits = !name.starts_with("RSASignatureDigestPSS") || digest == nullptr ||
                        EVP_PKEY_get_size(key.key.get()) >= 2 * EVP_MD_get_size(digest) + 2;
      return (rsa && name.starts_with("RSASignature") && fits) || (ec && name.starts_with("ECDSASignature"));
    }
    case kSecKeyOperationTypeDecrypt:
      return rsa && name.starts_with("RSAEncryption");
    case kSecKeyOperationTypeKeyExchange:
      return ec && name.starts_with("ECDHKeyExchange");
    case kSecKeyOperationTypeVerify:
    case kSecKeyOperationTypeEncrypt:
      break;
  }
  return false;
}

/// An operation with the key, by what is common to all of them.
CFDataRef use_key(const char* function, SecKeyRef key, SecKeyOperationType operation, SecKeyAlgorithm algorithm,
                  CFErrorRef* error, const std::function<bool(std::vector<std::uint8_t>&)>& body) {
  note_call(function);
  check(key, Kind::kKey, function);
  if (const auto planned = planned_failure(function); planned.domain != nullptr) {
    make_error(error, planned.domain, planned.code);
    return nullptr;
  }
  OSStatus status = is_supported(*key, operation, algorithm) ? leave_to_use(*key) : OSStatus{errSecParam};
  std::vector<std::uint8_t> result(4096);
  if (status == errSecSuccess && !body(result)) status = errSecParam;
  if (status != errSecSuccess) {
    make_error(error, "NSOSStatusErrorDomain", status);
    return nullptr;
  }
  result.resize(result.size() -
                std::min(result.size(), operation == kSecKeyOperationTypeSign ? shorten.exchange(0) : 0));
  return make_data(result.data(), result.size());
}

/// `length` is read once `done` is known.
bool finish(std::vector<std::uint8_t>& result, int done, const std::size_t& length) {
  result.resize(done > 0 ? length : 0);
  return done > 0;
}

bool sign_raw(const DoubleKey& key, const std::vector<std::uint8_t>& block, std::vector<std::uint8_t>& result) {
  const ContextPtr context = context_of(key);
  std::size_t length = result.size();
  return EVP_PKEY_sign_init(context.get()) > 0 && EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) > 0 &&
         finish(result, EVP_PKEY_sign(context.get(), result.data(), &length, block.data(), block.size()), length);
}

bool sign_input(const DoubleKey& key, const std::string& algorithm, const std::vector<std::uint8_t>& input,
                std::vector<std::uint8_t>& result) {
  const auto size = static_cast<std::size_t>(EVP_PKEY_get_size(key.key.get()));
  if (algorithm == "RSASignatureRaw") return input.size() == size && sign_raw(key, input, result);
  if (algorithm == "RSASignatureDigestPKCS1v15Raw") {
    if (input.size() + 11 > size) return false;
    std::vector<std::uint8_t> block(size, 0xFF);
    block[0] = 0;
    block[1] = 1;
    block[size - input.size() - 1] = 0;
    std::ranges::copy(input, block.end() - static_cast<std::ptrdiff_t>(input.size()));
    return sign_raw(key, block, result);
  }
  const EVP_MD* digest = digest_of(algorithm);
  if (digest != nullptr && input.size() != static_cast<std::size_t>(EVP_MD_get_size(digest))) return false;
  const ContextPtr context = context_of(key);
  std::size_t length = result.size();
  if (EVP_PKEY_sign_init(context.get()) <= 0) return false;
  if (algorithm.starts_with("RSASignatureDigestPSS") &&
      (EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PSS_PADDING) <= 0 ||
       EVP_PKEY_CTX_set_signature_md(context.get(), digest) <= 0 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) <= 0)) {
    return false;
  }
  if (algorithm.starts_with("RSASignatureDigestPKCS1v15") &&
      EVP_PKEY_CTX_set_signature_md(context.get(), digest) <= 0) {
    return false;
  }
  return finish(result, EVP_PKEY_sign(context.get(), result.data(), &length, input.data(), input.size()), length);
}

bool decrypt_input(const DoubleKey& key, const std::string& algorithm, const std::vector<std::uint8_t>& input,
                   std::vector<std::uint8_t>& result) {
  const ContextPtr context = context_of(key);
  if (EVP_PKEY_decrypt_init(context.get()) <= 0) return false;
  const int padding = algorithm == "RSAEncryptionRaw"     ? RSA_NO_PADDING
                      : algorithm == "RSAEncryptionPKCS1" ? RSA_PKCS1_PADDING
                                                          : RSA_PKCS1_OAEP_PADDING;
  if (EVP_PKEY_CTX_set_rsa_padding(context.get(), padding) <= 0) return false;
  if (padding == RSA_PKCS1_OAEP_PADDING && (EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), digest_of(algorithm)) <= 0 ||
                                            EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), digest_of(algorithm)) <= 0)) {
    return false;
  }
  std::size_t length = result.size();
  return finish(result, EVP_PKEY_decrypt(context.get(), result.data(), &length, input.data(), input.size()), length);
}

void add_items(const std::string& path, bool data_protection, bool identities, bool silent, DoubleArray& list) {
  const Settings settings = read_settings(path);
  const Contents contents = read_contents(path);
  const std::string keychain = data_protection ? std::string() : path;
  for (const auto& certificate : contents.certificates) {
    if (!identities) {
      give(list, make<DoubleCertificate>(keychain, certificate));
    } else if (const DoubleKeyPtr key = key_of(certificate, contents.keys, !settings.mismatch)) {
      give(list, make<DoubleIdentity>(keychain, certificate, key, silent));
    }
  }
  for (const std::string& other : settings.also) add_items(other, false, identities, silent, list);
}

#define DOUBLE_CONSTANTS(each)                                                                                         \
  each(kSecClass) each(kSecClassIdentity) each(kSecClassCertificate) each(kSecReturnRef) each(kSecMatchLimit) each(    \
      kSecMatchLimitAll) each(kSecMatchSearchList) each(kSecUseDataProtectionKeychain) each(kSecUseAuthenticationUI)   \
      each(kSecUseAuthenticationUIAllow) each(kSecUseAuthenticationUIFail) each(kSecAttrKeyType) each(                 \
          kSecAttrKeyTypeECSECPrimeRandom) each(kSecAttrKeyClass) each(kSecAttrKeyClassPublic)                         \
          each(kSecKeyAlgorithmRSASignatureRaw) each(kSecKeyAlgorithmRSASignatureDigestPKCS1v15Raw) each(              \
              kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA1) each(kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA224)   \
              each(kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256)                                                   \
                  each(kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA384)                                               \
                      each(kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA512) each(                                     \
                          kSecKeyAlgorithmRSASignatureDigestPSSSHA1) each(kSecKeyAlgorithmRSASignatureDigestPSSSHA224) \
                          each(kSecKeyAlgorithmRSASignatureDigestPSSSHA256)                                            \
                              each(kSecKeyAlgorithmRSASignatureDigestPSSSHA384)                                        \
                                  each(kSecKeyAlgorithmRSASignatureDigestPSSSHA512)                                    \
                                      each(kSecKeyAlgorithmECDSASignatureDigestX962)                                   \
                                          each(kSecKeyAlgorithmECDSASignatureDigestX962SHA1)                           \
                                              each(kSecKeyAlgorithmECDSASignatureDigestX962SHA224)                     \
                                                  each(kSecKeyAlgorithmECDSASignatureDigestX962SHA256) each(           \
                                                      kSecKeyAlgorithmECDSASignatureDigestX962SHA384)                  \
                                                      each(kSecKeyAlgorithmECDSASignatureDigestX962SHA512) each(       \
                                                          kSecKeyAlgorithmRSAEncryptionRaw)                            \
                                                          each(kSecKeyAlgorithmRSAEncryptionPKCS1) each(               \
                                                              kSecKeyAlgorithmRSAEncryptionOAEPSHA1)                   \
                                                              each(kSecKeyAlgorithmRSAEncryptionOAEPSHA224) each(      \
                                                                  kSecKeyAlgorithmRSAEncryptionOAEPSHA256)             \
                                                                  each(kSecKeyAlgorithmRSAEncryptionOAEPSHA384) each(  \
                                                                      kSecKeyAlgorithmRSAEncryptionOAEPSHA512)         \
                                                                      each(kSecKeyAlgorithmECDHKeyExchangeStandard)
#define DOUBLE_OBJECT(name)         \
  DoubleString name##Object(#name); \
  [[maybe_unused]] const bool name##IsKnown = add_constant(&name##Object);
DOUBLE_CONSTANTS(DOUBLE_OBJECT)
#undef DOUBLE_OBJECT

}  // namespace

extern "C" {

#define DOUBLE_REFERENCE(name) const CFStringRef name = &name##Object;
DOUBLE_CONSTANTS(DOUBLE_REFERENCE)
#undef DOUBLE_REFERENCE
#undef DOUBLE_CONSTANTS

std::size_t security_double_dialogs() { return dialogs; }
void security_double_shorten_signature(std::size_t bytes) { shorten = bytes; }

CFStringRef SecCopyErrorMessageString(OSStatus status, void* reserved) {
  note_call("SecCopyErrorMessageString");
  if (reserved != nullptr) misuse("SecCopyErrorMessageString", "the reserved argument is not NULL");
  return make_string("OSStatus " + std::to_string(status));
}

#define DOUBLE_BEGIN(...) \
  note_call(__func__);    \
  if (const auto planned = planned_failure(__func__); planned.domain != nullptr) return __VA_ARGS__

OSStatus SecKeychainOpen(const char* path, SecKeychainRef* keychain) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  *keychain = make<DoubleKeychain>(path);
  return errSecSuccess;
}

OSStatus SecKeychainGetStatus(SecKeychainRef keychain, SecKeychainStatus* status) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  check(keychain, Kind::kKeychain, __func__);
  const Settings settings = read_settings(keychain->path);
  if (!settings.there) return errSecNoSuchKeychain;
  if (!settings.valid) return errSecInvalidKeychain;
  *status =
      (settings.locked ? 0U : UInt32{kSecUnlockStateStatus}) | (settings.unreadable ? 0U : UInt32{kSecReadPermStatus});
  return errSecSuccess;
}

OSStatus SecKeychainGetPath(SecKeychainRef keychain, UInt32* length, char* path) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  check(keychain, Kind::kKeychain, __func__);
  std::error_code error;
  const std::string canonical = fs::weakly_canonical(keychain->path, error).string();
  const std::string& text = error ? keychain->path : canonical;
  if (text.size() + 1 > *length) return errSecBufferTooSmall;
  std::memcpy(path, text.c_str(), text.size() + 1);
  *length = static_cast<UInt32>(text.size());
  return errSecSuccess;
}

OSStatus SecKeychainCopyDomainSearchList(SecPreferencesDomain domain, CFArrayRef* list) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  const std::string wanted = domain == kSecPreferencesDomainUser ? "user " : "system ";
  auto found = std::make_unique<DoubleArray>();
  std::ifstream file(home() + "/Library/Preferences/com.apple.security.plist");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(wanted)) give(*found, make<DoubleKeychain>(line.substr(wanted.size())));
  }
  *list = static_cast<CFArrayRef>(adopt(std::move(found)));
  return errSecSuccess;
}

OSStatus SecKeychainSetUserInteractionAllowed(Boolean state) {
  note_call(__func__);
  interaction = state != 0;
  return errSecSuccess;
}

OSStatus SecKeychainGetUserInteractionAllowed(Boolean* state) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  *state = interaction ? 1 : 0;
  return errSecSuccess;
}

OSStatus SecKeychainItemCopyKeychain(SecKeychainItemRef item, SecKeychainRef* keychain) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  check(item, Kind::kCertificate, __func__);
  const std::string& path = item->keychain;
  if (path.empty()) return errSecInvalidItemRef;
  *keychain = make<DoubleKeychain>(path);
  return errSecSuccess;
}

OSStatus SecItemCopyMatching(CFDictionaryRef query, CFTypeRef* result) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  check(query, Kind::kDictionary, __func__);
  const CFTypeRef item_class = value_of(query, kSecClass);
  if ((item_class != kSecClassIdentity && item_class != kSecClassCertificate) ||
      value_of(query, kSecReturnRef) != kCFBooleanTrue || value_of(query, kSecMatchLimit) != kSecMatchLimitAll) {
    return errSecParam;
  }
  const bool identities = item_class == kSecClassIdentity;
  const CFTypeRef places = value_of(query, kSecMatchSearchList);
  auto list = std::make_unique<DoubleArray>();
  if (places != nullptr) {
    check(places, Kind::kArray, __func__);
    for (const auto& place : static_cast<CFArrayRef>(places)->values) {
      check(place->get(), Kind::kKeychain, __func__);
      add_items(static_cast<const DoubleKeychain*>(place->get())->path, false, identities, false, *list);
    }
  } else if (value_of(query, kSecUseDataProtectionKeychain) == kCFBooleanTrue) {
    if (!fs::exists(data_protection_path())) return errSecMissingEntitlement;
    const bool silent = value_of(query, kSecUseAuthenticationUI) == kSecUseAuthenticationUIFail;
    add_items(data_protection_path(), true, identities, silent, *list);
  } else {
    misuse(__func__, "it would search everywhere");
  }
  if (list->values.empty()) return errSecItemNotFound;
  *result = adopt(std::move(list));
  return errSecSuccess;
}

OSStatus SecIdentityCopyCertificate(SecIdentityRef identity, SecCertificateRef* certificate) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  check(identity, Kind::kIdentity, __func__);
  *certificate = make<DoubleCertificate>(identity->keychain, identity->der);
  return errSecSuccess;
}

OSStatus SecIdentityCopyPrivateKey(SecIdentityRef identity, SecKeyRef* key) {
  DOUBLE_BEGIN(static_cast<OSStatus>(planned.code));
  check(identity, Kind::kIdentity, __func__);
  *key = make<DoubleKey>(identity->keychain, identity->key, identity->silent);
  return errSecSuccess;
}

CFDataRef SecCertificateCopyData(SecCertificateRef certificate) {
  DOUBLE_BEGIN(nullptr);
  check(certificate, Kind::kCertificate, __func__);
  return make_data(certificate->der.data(), certificate->der.size());
}

SecKeyRef SecKeyCopyPublicKey(SecKeyRef key) {
  DOUBLE_BEGIN(nullptr);
  check(key, Kind::kKey, __func__);
  return make<DoubleKey>(key->keychain, key->key, key->silent);
}

CFDataRef SecKeyCopyExternalRepresentation(SecKeyRef key, CFErrorRef* error) {
  note_call(__func__);
  check(key, Kind::kKey, __func__);
  if (const auto planned = planned_failure(__func__); planned.domain != nullptr) {
    make_error(error, planned.domain, planned.code);
    return nullptr;
  }
  unsigned char* octets = nullptr;
  const int length = i2d_PublicKey(key->key.get(), &octets);
  const CFDataRef data = make_data(octets, static_cast<std::size_t>(length));
  OPENSSL_free(octets);
  return data;
}

SecKeyRef SecKeyCreateWithData(CFDataRef data, CFDictionaryRef attributes, CFErrorRef* error) {
  note_call(__func__);
  check(data, Kind::kData, __func__);
  check(attributes, Kind::kDictionary, __func__);
  if (value_of(attributes, kSecAttrKeyType) != kSecAttrKeyTypeECSECPrimeRandom ||
      value_of(attributes, kSecAttrKeyClass) != kSecAttrKeyClassPublic) {
    misuse(__func__, "only public EC keys are made here");
  }
  std::vector<std::uint8_t> point = data->bytes;
  std::string group = point.size() == 65 ? "P-256" : point.size() == 97 ? "P-384" : "P-521";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
                             OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
                             OSSL_PARAM_construct_end()};
  const ContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) <= 0 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) <= 0) {
    make_error(error, "NSOSStatusErrorDomain", errSecParam);
    return nullptr;
  }
  return make<DoubleKey>(std::string(), DoubleKeyPtr(key, EVP_PKEY_free), false);
}

Boolean SecKeyIsAlgorithmSupported(SecKeyRef key, SecKeyOperationType operation, SecKeyAlgorithm algorithm) {
  note_call(__func__);
  check(key, Kind::kKey, __func__);
  return is_supported(*key, operation, algorithm) ? 1 : 0;
}

CFDataRef SecKeyCreateSignature(SecKeyRef key, SecKeyAlgorithm algorithm, CFDataRef data, CFErrorRef* error) {
  check(data, Kind::kData, __func__);
  return use_key(__func__, key, kSecKeyOperationTypeSign, algorithm, error,
                 [&](auto& result) { return sign_input(*key, end_of_name(algorithm), data->bytes, result); });
}

CFDataRef SecKeyCreateDecryptedData(SecKeyRef key, SecKeyAlgorithm algorithm, CFDataRef data, CFErrorRef* error) {
  check(data, Kind::kData, __func__);
  return use_key(__func__, key, kSecKeyOperationTypeDecrypt, algorithm, error,
                 [&](auto& result) { return decrypt_input(*key, end_of_name(algorithm), data->bytes, result); });
}

CFDataRef SecKeyCopyKeyExchangeResult(SecKeyRef key, SecKeyAlgorithm algorithm, SecKeyRef peer,
                                      CFDictionaryRef parameters, CFErrorRef* error) {
  check(peer, Kind::kKey, __func__);
  check(parameters, Kind::kDictionary, __func__);
  return use_key(__func__, key, kSecKeyOperationTypeKeyExchange, algorithm, error, [&](auto& result) {
    const ContextPtr context = context_of(*key);
    std::size_t length = result.size();
    return EVP_PKEY_derive_init(context.get()) > 0 && EVP_PKEY_derive_set_peer(context.get(), peer->key.get()) > 0 &&
           finish(result, EVP_PKEY_derive(context.get(), result.data(), &length), length);
  });
}

#undef DOUBLE_BEGIN

}  // extern "C"
