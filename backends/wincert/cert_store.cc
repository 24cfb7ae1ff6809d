// The one file that calls Windows' certificate store functions.
#include "backends/wincert/cert_store.h"

#include <windows.h>

#include <wincrypt.h>

#include <cstring>

#include "identity/system_error_windows.h"
#include "identity/utf16.h"

namespace devtrust {
namespace {

/// FNV-1a: it is to tell one content from the next, not to withstand an attacker, who can write there anyway.
class Digester {
 public:
  void add(ByteView bytes) {
    for (const std::uint8_t octet : bytes) value_ = (value_ ^ octet) * 0x100000001B3U;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325U;
};

class OpenStore {
 public:
  OpenStore(CertLocation location, const wchar_t* name)
      : handle_(CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0,
                              (location == CertLocation::kCurrentUser ? CERT_SYSTEM_STORE_CURRENT_USER
                                                                      : CERT_SYSTEM_STORE_LOCAL_MACHINE) |
                                  CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG,
                              name)) {}
  ~OpenStore() {
    if (handle_ != nullptr) CertCloseStore(handle_, 0);
  }
  OpenStore(const OpenStore&) = delete;
  OpenStore& operator=(const OpenStore&) = delete;
  HCERTSTORE get() const { return handle_; }

  /// Archived certificates are not among them.
  template <typename Visit>
  void for_each(Visit visit) const {
    PCCERT_CONTEXT context = nullptr;  // freed by the next call
    while ((context = CertEnumCertificatesInStore(handle_, context)) != nullptr) visit(*context);
  }

 private:
  HCERTSTORE handle_;
};

ByteView view(const CERT_NAME_BLOB& blob) { return {blob.pbData, blob.cbData}; }

/// A property's bytes; empty where the certificate does not have it.
Bytes property(const CERT_CONTEXT& context, DWORD id) {
  DWORD length = 0;
  if (CertGetCertificateContextProperty(&context, id, nullptr, &length) == 0) return {};
  Bytes value(length);
  if (CertGetCertificateContextProperty(&context, id, value.data(), &length) == 0) return {};
  value.resize(length);
  return value;
}

std::optional<KeyPlace> key_place(const CERT_CONTEXT& context) {
  const Bytes value = property(context, CERT_KEY_PROV_INFO_PROP_ID);
  CRYPT_KEY_PROV_INFO info{};
  if (value.size() < sizeof info) return std::nullopt;
  std::memcpy(&info, value.data(), sizeof info);  // its texts are in `value`, too
  KeyPlace place;
  if (info.pwszContainerName != nullptr) place.container = to_utf8(info.pwszContainerName);
  if (info.pwszProvName != nullptr) place.provider = to_utf8(info.pwszProvName);
  place.provider_type = info.dwProvType;
  place.key_spec = info.dwKeySpec;
  place.machine = (info.dwFlags & CRYPT_MACHINE_KEYSET) != 0;
  return place;
}

std::string friendly_name(const CERT_CONTEXT& context) {
  const Bytes value = property(context, CERT_FRIENDLY_NAME_PROP_ID);
  std::wstring name(value.size() / sizeof(wchar_t), L'\0');
  std::memcpy(name.data(), value.data(), name.size() * sizeof(wchar_t));
  return to_utf8(name.substr(0, name.find(L'\0')));
}

void add(Digester& digester, ByteView der, const std::optional<KeyPlace>& key) {
  digester.add(der);
  if (!key) return;
  digester.add(as_bytes(key->container));
  digester.add(as_bytes(key->provider));
}

}  // namespace

/// A store that stays open so that Windows tells of changes.
class CertStore::Watch {
 public:
  Watch(CertLocation location, const wchar_t* name)
      : store_(location, name), event_(CreateEventW(nullptr, FALSE, FALSE, nullptr)) {
    if (store_.get() != nullptr && event_ != nullptr) {
      CertControlStore(store_.get(), 0, CERT_STORE_CTRL_NOTIFY_CHANGE, &event_);
    }
  }
  ~Watch() {
    if (store_.get() != nullptr && event_ != nullptr) {
      CertControlStore(store_.get(), 0, CERT_STORE_CTRL_CANCEL_NOTIFY, &event_);
    }
    if (event_ != nullptr) CloseHandle(event_);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  bool told_of_change() {
    if (store_.get() == nullptr || event_ == nullptr || WaitForSingleObject(event_, 0) != WAIT_OBJECT_0) return false;
    CertControlStore(store_.get(), 0, CERT_STORE_CTRL_RESYNC, &event_);  // which has the event set again next time
    return true;
  }

 private:
  const OpenStore store_;
  HANDLE event_;
};

CertStore::CertStore(CertLocation location, const wchar_t* name)
    : location_(location), name_(name), watch_(std::make_unique<Watch>(location, name)) {}
CertStore::~CertStore() = default;

bool CertStore::told_of_change() { return watch_->told_of_change(); }

Result<std::vector<StoredCertificate>> CertStore::read() const {
  const OpenStore store(location_, name_);
  if (store.get() == nullptr) {
    const DWORD error = GetLastError();
    const std::string what = "the certificate store " + to_utf8(name_);
    if (error == ERROR_FILE_NOT_FOUND) return fail(ErrorCode::kNotFound, what + " is not there");
    return fail(error == ERROR_ACCESS_DENIED ? ErrorCode::kAccessDenied : ErrorCode::kIo,
                what + " cannot be opened: " + system_message(error));
  }
  std::vector<StoredCertificate> certificates;
  store.for_each([&](const CERT_CONTEXT& context) {
    certificates.push_back({{context.pbCertEncoded, context.pbCertEncoded + context.cbCertEncoded},
                            to_bytes(view(context.pCertInfo->Subject)),
                            to_bytes(view(context.pCertInfo->Issuer)),
                            key_place(context),
                            friendly_name(context)});
  });
  return certificates;
}

std::uint64_t CertStore::digest() const {
  const OpenStore store(location_, name_);
  if (store.get() == nullptr) return 0;
  Digester digester;
  store.for_each([&](const CERT_CONTEXT& context) {
    add(digester, {context.pbCertEncoded, context.cbCertEncoded}, key_place(context));
  });
  return digester.value();
}

std::uint64_t digest_of(const std::vector<StoredCertificate>& certificates) {
  Digester digester;
  for (const StoredCertificate& certificate : certificates) add(digester, certificate.der, certificate.key);
  return digester.value();
}

}  // namespace devtrust
