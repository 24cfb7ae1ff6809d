#include "tests/support/windows_store.h"

#include <windows.h>

#include <bcrypt.h>
#include <ncrypt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <wincrypt.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "identity/der.h"
#include "identity/system_error_windows.h"
#include "identity/utf16.h"

namespace devtrust::testing {
namespace {

constexpr const char* kContainerPrefix = "devtrust-test-";

[[noreturn]] void refuse(const std::string& what) {
  throw std::runtime_error(what + ": " + system_message(GetLastError()));
}

const BYTE* octets(const std::string& text) { return reinterpret_cast<const BYTE*>(text.data()); }

struct StoreCloser {
  void operator()(void* store) const { CertCloseStore(store, 0); }
};
using StoreHandle = std::unique_ptr<void, StoreCloser>;

StoreHandle open_store(const std::string& name) {
  const DWORD location = name == "Root" ? CERT_SYSTEM_STORE_LOCAL_MACHINE : CERT_SYSTEM_STORE_CURRENT_USER;
  StoreHandle store(CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, location, to_utf16(name).c_str()));
  if (store == nullptr) refuse("CertOpenStore " + name);
  return store;
}

struct ContextDeleter {
  void operator()(const CERT_CONTEXT* context) const { CertFreeCertificateContext(context); }
};
using ContextHandle = std::unique_ptr<const CERT_CONTEXT, ContextDeleter>;

void delete_certificates(const std::string& store_name, const std::vector<std::string>& ders) {
  const StoreHandle store = open_store(store_name);
  for (const std::string& der : ders) {
    const ContextHandle wanted(
        CertCreateCertificateContext(X509_ASN_ENCODING, octets(der), static_cast<DWORD>(der.size())));
    const CERT_CONTEXT* found = wanted ? CertFindCertificateInStore(store.get(), X509_ASN_ENCODING, 0,
                                                                    CERT_FIND_EXISTING, wanted.get(), nullptr)
                                       : nullptr;
    if (found != nullptr) CertDeleteCertificateFromStore(found);  // which frees it
  }
  CertControlStore(store.get(), 0, CERT_STORE_CTRL_COMMIT, nullptr);  // without which wine keeps them
}

/// A provider's or a key's handle.
class NcryptHandle {
 public:
  NcryptHandle() = default;
  ~NcryptHandle() {
    if (handle_ != 0) NCryptFreeObject(handle_);
  }
  NcryptHandle(const NcryptHandle&) = delete;
  NcryptHandle& operator=(const NcryptHandle&) = delete;
  NCRYPT_HANDLE get() const { return handle_; }
  NCRYPT_HANDLE* out() { return &handle_; }
  NCRYPT_HANDLE release() { return std::exchange(handle_, 0); }

 private:
  NCRYPT_HANDLE handle_ = 0;
};

void must(SECURITY_STATUS status, const char* call) {
  if (status != ERROR_SUCCESS) {
    throw std::runtime_error(std::string(call) + ": " + system_message(static_cast<std::uint32_t>(status)));
  }
}

struct BlobBuilder {
  template <typename Header>
  void header(const Header& header) {
    const auto* bytes = reinterpret_cast<const BYTE*>(&header);
    blob.insert(blob.end(), bytes, bytes + sizeof header);
  }
  void number(const EVP_PKEY* key, const char* name, ULONG size) {
    BIGNUM* value = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &value) != 1) throw std::runtime_error(std::string("a key without ") + name);
    std::vector<BYTE> bytes(size);
    BN_bn2binpad(value, bytes.data(), static_cast<int>(size));
    BN_clear_free(value);
    blob.insert(blob.end(), bytes.begin(), bytes.end());
  }
  std::vector<BYTE> blob;
};

struct CngValue {
  LPCWSTR algorithm, type;
  std::vector<BYTE> blob;
};

CngValue rsa_value(const EVP_PKEY* key) {
  const auto bits = static_cast<ULONG>(EVP_PKEY_get_bits(key));
  const ULONG modulus = bits / 8;
  const ULONG prime = modulus / 2;
  BlobBuilder value;
  value.header(BCRYPT_RSAKEY_BLOB{BCRYPT_RSAFULLPRIVATE_MAGIC, bits, 3, modulus, prime, prime});
  value.number(key, OSSL_PKEY_PARAM_RSA_E, 3);
  value.number(key, OSSL_PKEY_PARAM_RSA_N, modulus);
  for (const char* of_prime : {OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
                               OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}) {
    value.number(key, of_prime, prime);
  }
  value.number(key, OSSL_PKEY_PARAM_RSA_D, modulus);
  return {BCRYPT_RSA_ALGORITHM, BCRYPT_RSAFULLPRIVATE_BLOB, std::move(value.blob)};
}

CngValue ec_value(const EVP_PKEY* key) {
  const ULONG field = (static_cast<ULONG>(EVP_PKEY_get_bits(key)) + 7) / 8;
  const ULONG magic = field == 32   ? ULONG{BCRYPT_ECDSA_PRIVATE_P256_MAGIC}
                      : field == 48 ? ULONG{BCRYPT_ECDSA_PRIVATE_P384_MAGIC}
                                    : ULONG{BCRYPT_ECDSA_PRIVATE_P521_MAGIC};
  BlobBuilder value;
  value.header(BCRYPT_ECCKEY_BLOB{magic, field});
  for (const char* part : {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y, OSSL_PKEY_PARAM_PRIV_KEY}) {
    value.number(key, part, field);
  }
  return {field == 32   ? BCRYPT_ECDSA_P256_ALGORITHM
          : field == 48 ? BCRYPT_ECDSA_P384_ALGORITHM
                        : BCRYPT_ECDSA_P521_ALGORITHM,
          BCRYPT_ECCPRIVATE_BLOB, std::move(value.blob)};
}

}  // namespace

std::string pem_der(const std::filesystem::path& pem) {
  const std::string text = read_file(pem);
  DWORD length = 0;
  if (CryptStringToBinaryA(text.data(), static_cast<DWORD>(text.size()), CRYPT_STRING_BASE64HEADER, nullptr, &length,
                           nullptr, nullptr) == 0) {
    refuse("CryptStringToBinaryA " + pem.string());
  }
  std::string der(length, '\0');
  CryptStringToBinaryA(text.data(), static_cast<DWORD>(text.size()), CRYPT_STRING_BASE64HEADER,
                       reinterpret_cast<BYTE*>(der.data()), &length, nullptr, nullptr);
  der.resize(length);
  return der;
}

WindowsStore::WindowsStore() {
  static bool first = true;
  if (!std::exchange(first, false)) return;
  const StoreHandle store = open_store("MY");
  std::vector<std::string> ders;
  for (const CERT_CONTEXT* at = nullptr; (at = CertEnumCertificatesInStore(store.get(), at)) != nullptr;) {
    DWORD length = 0;
    if (CertGetCertificateContextProperty(at, CERT_KEY_PROV_INFO_PROP_ID, nullptr, &length) == 0) continue;
    std::vector<BYTE> value(length);
    CertGetCertificateContextProperty(at, CERT_KEY_PROV_INFO_PROP_ID, value.data(), &length);
    const auto* info = reinterpret_cast<const CRYPT_KEY_PROV_INFO*>(value.data());
    KeyPlace place{to_utf8(info->pwszContainerName), to_utf8(info->pwszProvName), info->dwProvType, info->dwKeySpec,
                   false};
    if (!place.container.starts_with(kContainerPrefix)) continue;
    ders.emplace_back(reinterpret_cast<const char*>(at->pbCertEncoded), at->cbCertEncoded);
    keys_.push_back(std::move(place));
  }
  delete_certificates("MY", ders);
  delete_keys();
}

void WindowsStore::delete_keys() {
  while (!keys_.empty()) delete_key(KeyPlace(keys_.back()));
}

WindowsStore::~WindowsStore() {
  for (const char* store : {"MY", "CA", "Root"}) {
    std::vector<std::string> ders;
    for (const Added& added : added_) {
      if (added.store == store) ders.push_back(added.der);
    }
    try {
      if (!ders.empty()) delete_certificates(store, ders);
    } catch (const std::exception&) {
      // The test has failed already if the store cannot be opened any more.
    }
  }
  delete_keys();
}

void WindowsStore::add(const std::vector<Entry>& entries, const std::string& store_name) {
  const StoreHandle store = open_store(store_name);
  for (const Entry& entry : entries) {
    const CERT_CONTEXT* added = nullptr;
    if (CertAddEncodedCertificateToStore(store.get(), X509_ASN_ENCODING, octets(entry.der),
                                         static_cast<DWORD>(entry.der.size()), CERT_STORE_ADD_REPLACE_EXISTING,
                                         &added) == 0) {
      refuse("CertAddEncodedCertificateToStore");
    }
    const ContextHandle context(added);
    added_.push_back({store_name, entry.der});
    if (!entry.key) continue;
    std::wstring container = to_utf16(entry.key->container);
    std::wstring provider = to_utf16(entry.key->provider);
    CRYPT_KEY_PROV_INFO info{container.data(),
                             provider.data(),
                             entry.key->provider_type,
                             entry.key->machine ? DWORD{CRYPT_MACHINE_KEYSET} : 0,
                             0,
                             nullptr,
                             entry.key->key_spec};
    if (CertSetCertificateContextProperty(added, CERT_KEY_PROV_INFO_PROP_ID, 0, &info) == 0) {
      refuse("CertSetCertificateContextProperty");
    }
  }
}

void WindowsStore::add_certificate(const std::filesystem::path& pem, const std::string& store) {
  add({{pem_der(pem), std::nullopt}}, store);
}

KeyPlace WindowsStore::add_leaf(const Leaf& leaf, KeyPlace place) {
  add({{pem_der(leaf.certificate), place}});
  for (const auto& issuer : leaf.issuers) add_certificate(issuer, &issuer == &leaf.issuers.back() ? "Root" : "CA");
  return place;
}

KeyPlace WindowsStore::add_with_csp_key(const Leaf& leaf) { return add_leaf(leaf, import_csp_key(leaf.key)); }

KeyPlace WindowsStore::add_with_old_csp_key(const Leaf& leaf) { return add_leaf(leaf, import_csp_key(leaf.key, true)); }

KeyPlace WindowsStore::add_with_cng_key(const Leaf& leaf) { return add_leaf(leaf, import_cng_key(leaf.key)); }

void WindowsStore::remove(const Leaf& leaf) { delete_certificates("MY", {pem_der(leaf.certificate)}); }

KeyPlace WindowsStore::import_csp_key(const std::filesystem::path& key, bool old_provider) {
  KeyPlace place{new_container(), to_utf8(old_provider ? MS_ENHANCED_PROV_W : MS_ENH_RSA_AES_PROV_W),
                 old_provider ? DWORD{PROV_RSA_FULL} : DWORD{PROV_RSA_AES}, AT_KEYEXCHANGE, false};
  delete_key(KeyPlace(place));  // what a test left that was ended: process ids come again
  HCRYPTPROV container = 0;
  if (CryptAcquireContextW(&container, to_utf16(place.container).c_str(), to_utf16(place.provider).c_str(),
                           place.provider_type, CRYPT_NEWKEYSET | CRYPT_SILENT) == 0) {
    refuse("CryptAcquireContextW");
  }
  keys_.push_back(place);
  const std::string der = pem_der(key);
  DerReader parts(der_single(as_bytes(der), der::kSequence).value().content);  // PKCS#8, which wine does not decode
  parts.next(der::kInteger);
  parts.next(der::kSequence);
  const ByteView rsa = parts.next(der::kOctetString).value().content;
  BYTE* blob = nullptr;
  DWORD size = 0;
  if (CryptDecodeObjectEx(X509_ASN_ENCODING, PKCS_RSA_PRIVATE_KEY, rsa.data(), static_cast<DWORD>(rsa.size()),
                          CRYPT_DECODE_ALLOC_FLAG, nullptr, &blob, &size) == 0) {
    refuse("CryptDecodeObjectEx");
  }
  reinterpret_cast<BLOBHEADER*>(blob)->aiKeyAlg = CALG_RSA_KEYX;
  HCRYPTKEY imported = 0;
  if (CryptImportKey(container, blob, size, 0, 0, &imported) == 0) refuse("CryptImportKey");
  CryptDestroyKey(imported);
  LocalFree(blob);
  CryptReleaseContext(container, 0);
  return place;
}

KeyPlace WindowsStore::import_cng_key(const std::filesystem::path& key, const std::string& container) {
  const std::string der = pem_der(key);
  const BYTE* at = octets(der);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> parsed(
      d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size())), EVP_PKEY_free);
  if (parsed == nullptr) throw std::runtime_error("no private key in " + key.string());
  CngValue value = EVP_PKEY_is_a(parsed.get(), "RSA") == 1 ? rsa_value(parsed.get()) : ec_value(parsed.get());
  KeyPlace place{container.empty() ? new_container() : container, to_utf8(MS_KEY_STORAGE_PROVIDER), 0, 0, false};
  NcryptHandle provider;
  NcryptHandle made;
  must(NCryptOpenStorageProvider(provider.out(), MS_KEY_STORAGE_PROVIDER, 0), "NCryptOpenStorageProvider");
  must(NCryptCreatePersistedKey(provider.get(), made.out(), value.algorithm, to_utf16(place.container).c_str(), 0,
                                NCRYPT_OVERWRITE_KEY_FLAG),
       "NCryptCreatePersistedKey");
  must(NCryptSetProperty(made.get(), value.type, value.blob.data(), static_cast<DWORD>(value.blob.size()), 0),
       "NCryptSetProperty");
  must(NCryptFinalizeKey(made.get(), NCRYPT_SILENT_FLAG), "NCryptFinalizeKey");
  if (container.empty()) keys_.push_back(place);
  return place;
}

std::string WindowsStore::new_container() {
  return kContainerPrefix + std::to_string(GetCurrentProcessId()) + '-' + std::to_string(next_++);
}

void WindowsStore::delete_key(const KeyPlace& place) {
  if (place.provider_type == 0) {
    NcryptHandle provider;
    NcryptHandle key;
    if (NCryptOpenStorageProvider(provider.out(), to_utf16(place.provider).c_str(), 0) == ERROR_SUCCESS &&
        NCryptOpenKey(provider.get(), key.out(), to_utf16(place.container).c_str(), 0, NCRYPT_SILENT_FLAG) ==
            ERROR_SUCCESS &&
        NCryptDeleteKey(key.get(), NCRYPT_SILENT_FLAG) == ERROR_SUCCESS) {
      key.release();
    }
  } else {
    HCRYPTPROV ignored = 0;
    CryptAcquireContextW(&ignored, to_utf16(place.container).c_str(), to_utf16(place.provider).c_str(),
                         place.provider_type, CRYPT_DELETEKEYSET | CRYPT_SILENT);
  }
  std::erase(keys_, place);
}

}  // namespace devtrust::testing
