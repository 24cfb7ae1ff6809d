#include "tests/support/windows_store.h"

#include <windows.h>

#include <wincrypt.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "identity/der.h"
#include "identity/system_error_windows.h"
#include "identity/utf16.h"

namespace devtrust::testing {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::runtime_error(what + ": " + system_message(GetLastError()));
}

const BYTE* octets(const std::string& text) { return reinterpret_cast<const BYTE*>(text.data()); }

struct StoreCloser {
  void operator()(void* store) const { CertCloseStore(store, 0); }
};
using StoreHandle = std::unique_ptr<void, StoreCloser>;

StoreHandle open_store(const std::string& name) {
  StoreHandle store(
      CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, to_utf16(name).c_str()));
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
  while (!containers_.empty()) delete_csp_key(KeyPlace(containers_.back()));
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

KeyPlace WindowsStore::add_with_cng_key(const Leaf& leaf, const std::string& container) {
  return add_leaf(leaf, {container, "Microsoft Software Key Storage Provider", 0, 0, false});
}

void WindowsStore::remove(const Leaf& leaf) { delete_certificates("MY", {pem_der(leaf.certificate)}); }

KeyPlace WindowsStore::import_csp_key(const std::filesystem::path& key, bool old_provider) {
  KeyPlace place{"devtrust-test-" + std::to_string(GetCurrentProcessId()) + '-' + std::to_string(containers_.size()),
                 to_utf8(old_provider ? MS_ENHANCED_PROV_W : MS_ENH_RSA_AES_PROV_W),
                 old_provider ? DWORD{PROV_RSA_FULL} : DWORD{PROV_RSA_AES}, AT_KEYEXCHANGE, false};
  HCRYPTPROV container = 0;
  if (CryptAcquireContextW(&container, to_utf16(place.container).c_str(), to_utf16(place.provider).c_str(),
                           place.provider_type, CRYPT_NEWKEYSET | CRYPT_SILENT) == 0) {
    refuse("CryptAcquireContextW");
  }
  containers_.push_back(place);
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

void WindowsStore::delete_csp_key(const KeyPlace& place) {
  HCRYPTPROV ignored = 0;
  CryptAcquireContextW(&ignored, to_utf16(place.container).c_str(), to_utf16(place.provider).c_str(),
                       place.provider_type, CRYPT_DELETEKEYSET | CRYPT_SILENT);
  std::erase(containers_, place);
}

}  // namespace devtrust::testing
