// An ncrypt.dll for tests where the system's own keeps no keys (wine): key storage provider and keys over libcrypto.
// It keeps the key NAME as NAME.pem in the folder that NCRYPT_DOUBLE_KEYS names. NAME.properties, if it is there, has
// lines `property=value` for NCryptGetProperty, and `asks=yes` where a use of the key would ask the user. It answers
// the calls that backends/wincert and tests/support/windows_store.cc make as Windows does, and refuses parameters that
// Windows refuses.
#define NCRYPTAPI
#include <windows.h>

#include <bcrypt.h>
#include <ncrypt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace {

enum class Kind { kProvider, kKey, kSecret };
struct Object {
  Kind kind;
  EVP_PKEY* key = nullptr;  // kKey
  bool stale = false;
  std::string file = {};  // of a persistent key, without .pem
  std::map<std::string, std::string> properties = {};
  std::vector<unsigned char> secret = {};  // kSecret
};

std::mutex mutex;  // guards what follows
std::set<Object*> objects;

Object* add(Object object) {
  auto* made = new Object(std::move(object));
  const std::lock_guard guard(mutex);
  objects.insert(made);
  return made;
}

/// Null for a handle that is not, or no longer, one of `kind`.
Object* find(ULONG_PTR handle, Kind kind) {
  const std::lock_guard guard(mutex);
  auto* object = reinterpret_cast<Object*>(handle);  // NOLINT(performance-no-int-to-ptr): a handle is a number
  return objects.contains(object) && object->kind == kind && !object->stale ? object : nullptr;
}

std::string narrow(LPCWSTR text) {
  std::string made;
  for (; text != nullptr && *text != L'\0'; ++text) made += static_cast<char>(*text);
  return made;
}

std::string key_file(LPCWSTR name) {
  std::vector<wchar_t> folder(32768);
  GetEnvironmentVariableW(L"NCRYPT_DOUBLE_KEYS", folder.data(), static_cast<DWORD>(folder.size()));
  return narrow(folder.data()) + '/' + narrow(name);
}

bool is_rsa(const Object& object) {
  return EVP_PKEY_is_a(object.key, "RSA") == 1 || EVP_PKEY_is_a(object.key, "RSA-PSS") == 1;
}

std::string algorithm_group(const Object& object) { return is_rsa(object) ? "RSA" : "ECDSA"; }

std::vector<unsigned char> number(const EVP_PKEY* key, const char* name, std::size_t size = 0) {
  BIGNUM* value = nullptr;
  EVP_PKEY_get_bn_param(key, name, &value);
  std::vector<unsigned char> bytes(std::max(size, static_cast<std::size_t>(BN_num_bytes(value))));
  BN_bn2binpad(value, bytes.data(), static_cast<int>(bytes.size()));
  BN_free(value);
  return bytes;
}

std::size_t field_size(const EVP_PKEY* key) { return (static_cast<std::size_t>(EVP_PKEY_get_bits(key)) + 7) / 8; }

/// Copies as Windows' functions do: the length is always told.
SECURITY_STATUS give(const std::vector<unsigned char>& value, PBYTE out, DWORD size, DWORD* length) {
  if (length == nullptr) return NTE_INVALID_PARAMETER;
  *length = static_cast<DWORD>(value.size());
  if (out == nullptr) return ERROR_SUCCESS;
  if (size < value.size()) return NTE_BUFFER_TOO_SMALL;
  std::copy(value.begin(), value.end(), out);
  return ERROR_SUCCESS;
}

const EVP_MD* digest(LPCWSTR name) {
  static const std::map<std::string, const char*> kNames{
      {"SHA1", "SHA1"}, {"SHA256", "SHA256"}, {"SHA384", "SHA384"}, {"SHA512", "SHA512"}};
  const auto known = kNames.find(narrow(name));
  return known != kNames.end() ? EVP_get_digestbyname(known->second) : nullptr;
}

bool forbidden(const Object& object, DWORD flags) {
  const auto asks = object.properties.find("asks");
  return asks != object.properties.end() && asks->second == "yes" && (flags & NCRYPT_SILENT_FLAG) != 0;
}

/// What a key is made of.
class Parameters {
 public:
  Parameters() = default;
  ~Parameters() {
    OSSL_PARAM_BLD_free(builder_);
    for (BIGNUM* number : numbers_) BN_free(number);
  }
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  void add(const char* name, const char* text) { OSSL_PARAM_BLD_push_utf8_string(builder_, name, text, 0); }
  void add(const char* name, const std::vector<unsigned char>& octets) {
    OSSL_PARAM_BLD_push_octet_string(builder_, name, octets.data(), octets.size());
  }
  void add_number(const char* name, BIGNUM* number) {
    numbers_.push_back(number);
    OSSL_PARAM_BLD_push_BN(builder_, name, number);
  }
  EVP_PKEY* key(const char* type, int selection) const {
    OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(builder_);
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
    EVP_PKEY* made = nullptr;
    if (EVP_PKEY_fromdata_init(context) <= 0 || EVP_PKEY_fromdata(context, &made, selection, params) <= 0) {
      made = nullptr;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return made;
  }

 private:
  OSSL_PARAM_BLD* const builder_ = OSSL_PARAM_BLD_new();
  std::vector<BIGNUM*> numbers_;
};

struct Context {
  explicit Context(EVP_PKEY* key) : get(EVP_PKEY_CTX_new(key, nullptr)) {}
  ~Context() { EVP_PKEY_CTX_free(get); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  EVP_PKEY_CTX* const get;
};

}  // namespace

extern "C" {

long ncrypt_double_handles() {
  const std::lock_guard guard(mutex);
  return static_cast<long>(objects.size());
}

void ncrypt_double_go_stale() {
  const std::lock_guard guard(mutex);
  for (Object* object : objects) object->stale = object->kind == Kind::kKey;
}

// ncrypt.h names parameters in Hungarian notation.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
SECURITY_STATUS WINAPI NCryptOpenStorageProvider(NCRYPT_PROV_HANDLE* provider, LPCWSTR name, DWORD flags) {
  if (flags != 0) return NTE_BAD_FLAGS;
  if (narrow(name) != "Microsoft Software Key Storage Provider") return NTE_PROV_DLL_NOT_FOUND;
  *provider = reinterpret_cast<ULONG_PTR>(add({Kind::kProvider}));
  return ERROR_SUCCESS;
}

SECURITY_STATUS WINAPI NCryptFreeObject(NCRYPT_HANDLE handle) {
  const std::lock_guard guard(mutex);
  auto* object = reinterpret_cast<Object*>(handle);  // NOLINT(performance-no-int-to-ptr): a handle is a number
  if (objects.erase(object) == 0) return NTE_INVALID_HANDLE;
  EVP_PKEY_free(object->key);
  delete object;
  return ERROR_SUCCESS;
}

SECURITY_STATUS WINAPI NCryptOpenKey(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE* key, LPCWSTR name,
                                     DWORD /*legacy_spec*/, DWORD flags) {
  if (find(provider, Kind::kProvider) == nullptr) return NTE_INVALID_HANDLE;
  if ((flags & ~DWORD{NCRYPT_SILENT_FLAG | NCRYPT_MACHINE_KEY_FLAG}) != 0) return NTE_BAD_FLAGS;
  Object object{Kind::kKey};
  object.file = key_file(name);
  BIO* pem = BIO_new_file((object.file + ".pem").c_str(), "r");
  object.key = pem != nullptr ? PEM_read_bio_PrivateKey(pem, nullptr, nullptr, nullptr) : nullptr;
  BIO_free(pem);
  if (object.key == nullptr) return NTE_BAD_KEYSET;
  std::ifstream properties(object.file + ".properties");
  for (std::string line; std::getline(properties, line);) {
    const auto equals = line.find('=');
    object.properties[line.substr(0, equals)] = line.substr(equals + 1);
  }
  *key = reinterpret_cast<ULONG_PTR>(add(std::move(object)));
  return ERROR_SUCCESS;
}

SECURITY_STATUS WINAPI NCryptGetProperty(NCRYPT_HANDLE handle, LPCWSTR property, PBYTE out, DWORD size, DWORD* length,
                                         DWORD /*flags*/) {
  const Object* object = find(handle, Kind::kKey);
  if (object == nullptr) return find(handle, Kind::kProvider) != nullptr ? NTE_NOT_SUPPORTED : NTE_INVALID_HANDLE;
  const std::string name = narrow(property);
  const auto known = object->properties.find(name);
  std::string value = known != object->properties.end() ? known->second : std::string();
  if (name == "Algorithm Group") {
    if (value.empty()) value = algorithm_group(*object);
    std::vector<unsigned char> wide;
    for (std::size_t i = 0; i <= value.size(); ++i) {
      wide.push_back(i < value.size() ? static_cast<unsigned char>(value[i]) : 0);
      wide.push_back(0);
    }
    return give(wide, out, size, length);
  }
  if (value.empty()) return NTE_NOT_SUPPORTED;
  const DWORD whole = std::stoul(value);
  std::vector<unsigned char> bytes(sizeof whole);
  std::memcpy(bytes.data(), &whole, sizeof whole);
  return give(bytes, out, size, length);
}

SECURITY_STATUS WINAPI NCryptExportKey(NCRYPT_KEY_HANDLE handle, NCRYPT_KEY_HANDLE wrapping, LPCWSTR type,
                                       NCryptBufferDesc* /*parameters*/, PBYTE out, DWORD size, DWORD* length,
                                       DWORD /*flags*/) {
  const Object* object = find(handle, Kind::kKey);
  if (object == nullptr) return NTE_INVALID_HANDLE;
  const bool rsa = narrow(type) == "RSAPUBLICBLOB";
  // A private blob must never be asked for.
  if (wrapping != 0 || (!rsa && narrow(type) != "ECCPUBLICBLOB") || rsa != is_rsa(*object)) return NTE_NOT_SUPPORTED;
  std::vector<unsigned char> blob;
  const auto append = [&](const void* data, std::size_t count) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    blob.insert(blob.end(), bytes, bytes + count);
  };
  if (rsa) {
    const auto exponent = number(object->key, OSSL_PKEY_PARAM_RSA_E);
    const auto modulus = number(object->key, OSSL_PKEY_PARAM_RSA_N);
    const BCRYPT_RSAKEY_BLOB header{BCRYPT_RSAPUBLIC_MAGIC,
                                    static_cast<ULONG>(EVP_PKEY_get_bits(object->key)),
                                    static_cast<ULONG>(exponent.size()),
                                    static_cast<ULONG>(modulus.size()),
                                    0,
                                    0};
    append(&header, sizeof header);
    append(exponent.data(), exponent.size());
    append(modulus.data(), modulus.size());
  } else {
    const std::size_t field = field_size(object->key);
    const BCRYPT_ECCKEY_BLOB header{field == 32   ? ULONG{BCRYPT_ECDSA_PUBLIC_P256_MAGIC}
                                    : field == 48 ? ULONG{BCRYPT_ECDSA_PUBLIC_P384_MAGIC}
                                                  : ULONG{BCRYPT_ECDSA_PUBLIC_P521_MAGIC},
                                    static_cast<ULONG>(field)};
    append(&header, sizeof header);
    for (const char* coordinate : {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y}) {
      const auto bytes = number(object->key, coordinate, field);
      append(bytes.data(), bytes.size());
    }
  }
  return give(blob, out, size, length);
}

SECURITY_STATUS WINAPI NCryptImportKey(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE wrapping, LPCWSTR type,
                                       NCryptBufferDesc* /*parameters*/, NCRYPT_KEY_HANDLE* key, PBYTE data, DWORD size,
                                       DWORD /*flags*/) {
  if (find(provider, Kind::kProvider) == nullptr) return NTE_INVALID_HANDLE;
  BCRYPT_ECCKEY_BLOB header{};
  if (wrapping != 0 || narrow(type) != "ECCPUBLICBLOB" || size < sizeof header) return NTE_NOT_SUPPORTED;
  std::memcpy(&header, data, sizeof header);
  const char* group = header.dwMagic == BCRYPT_ECDH_PUBLIC_P256_MAGIC && header.cbKey == 32   ? "P-256"
                      : header.dwMagic == BCRYPT_ECDH_PUBLIC_P384_MAGIC && header.cbKey == 48 ? "P-384"
                      : header.dwMagic == BCRYPT_ECDH_PUBLIC_P521_MAGIC && header.cbKey == 66 ? "P-521"
                                                                                              : nullptr;
  if (group == nullptr || size != sizeof header + std::size_t{2} * header.cbKey) return NTE_BAD_DATA;
  std::vector<unsigned char> point{4};
  point.insert(point.end(), data + sizeof header, data + size);
  Parameters parameters;
  parameters.add(OSSL_PKEY_PARAM_GROUP_NAME, group);
  parameters.add(OSSL_PKEY_PARAM_PUB_KEY, point);
  Object object{Kind::kKey};
  object.key = parameters.key("EC", EVP_PKEY_PUBLIC_KEY);
  if (object.key == nullptr) return NTE_BAD_DATA;
  *key = reinterpret_cast<ULONG_PTR>(add(std::move(object)));
  return ERROR_SUCCESS;
}

SECURITY_STATUS WINAPI NCryptCreatePersistedKey(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE* key, LPCWSTR algorithm,
                                                LPCWSTR name, DWORD /*legacy_spec*/, DWORD flags) {
  if (find(provider, Kind::kProvider) == nullptr) return NTE_INVALID_HANDLE;
  if ((flags & ~DWORD{NCRYPT_OVERWRITE_KEY_FLAG | NCRYPT_MACHINE_KEY_FLAG}) != 0) return NTE_BAD_FLAGS;
  if (narrow(algorithm) != "RSA" && !narrow(algorithm).starts_with("ECDSA_P")) return NTE_NOT_SUPPORTED;
  if (name == nullptr) return NTE_INVALID_PARAMETER;
  Object object{Kind::kKey};
  object.file = key_file(name);
  if ((flags & NCRYPT_OVERWRITE_KEY_FLAG) == 0 && std::ifstream(object.file + ".pem").is_open()) return NTE_EXISTS;
  *key = reinterpret_cast<ULONG_PTR>(add(std::move(object)));
  return ERROR_SUCCESS;
}

/// Of a key that is not finished: its value.
SECURITY_STATUS WINAPI NCryptSetProperty(NCRYPT_HANDLE handle, LPCWSTR property, PBYTE data, DWORD size,
                                         DWORD /*flags*/) {
  Object* object = find(handle, Kind::kKey);
  if (object == nullptr) return NTE_INVALID_HANDLE;
  if (object->key != nullptr) return NTE_BAD_KEY_STATE;
  const unsigned char* at = data;
  const unsigned char* const end = data + size;
  const auto next = [&](std::size_t count) -> BIGNUM* {
    if (static_cast<std::size_t>(end - at) < count) return nullptr;
    BIGNUM* value = BN_bin2bn(at, static_cast<int>(count), nullptr);
    at += count;
    return value;
  };
  Parameters parameters;
  if (narrow(property) == "RSAFULLPRIVATEBLOB") {
    BCRYPT_RSAKEY_BLOB header{};
    if (size < sizeof header) return NTE_BAD_DATA;
    std::memcpy(&header, data, sizeof header);
    at += sizeof header;
    if (header.Magic != BCRYPT_RSAFULLPRIVATE_MAGIC) return NTE_BAD_DATA;
    for (const auto& [name, count] :
         std::initializer_list<std::pair<const char*, ULONG>>{{OSSL_PKEY_PARAM_RSA_E, header.cbPublicExp},
                                                              {OSSL_PKEY_PARAM_RSA_N, header.cbModulus},
                                                              {OSSL_PKEY_PARAM_RSA_FACTOR1, header.cbPrime1},
                                                              {OSSL_PKEY_PARAM_RSA_FACTOR2, header.cbPrime2},
                                                              {OSSL_PKEY_PARAM_RSA_EXPONENT1, header.cbPrime1},
                                                              {OSSL_PKEY_PARAM_RSA_EXPONENT2, header.cbPrime2},
                                                              {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, header.cbPrime1},
                                                              {OSSL_PKEY_PARAM_RSA_D, header.cbModulus}}) {
      BIGNUM* value = next(count);
      if (value == nullptr) return NTE_BAD_DATA;
      parameters.add_number(name, value);
    }
    object->key = at == end ? parameters.key("RSA", EVP_PKEY_KEYPAIR) : nullptr;
  } else if (narrow(property) == "ECCPRIVATEBLOB") {
    BCRYPT_ECCKEY_BLOB header{};
    if (size < sizeof header) return NTE_BAD_DATA;
    std::memcpy(&header, data, sizeof header);
    at += sizeof header;
    const char* group = header.dwMagic == BCRYPT_ECDSA_PRIVATE_P256_MAGIC && header.cbKey == 32   ? "P-256"
                        : header.dwMagic == BCRYPT_ECDSA_PRIVATE_P384_MAGIC && header.cbKey == 48 ? "P-384"
                        : header.dwMagic == BCRYPT_ECDSA_PRIVATE_P521_MAGIC && header.cbKey == 66 ? "P-521"
                                                                                                  : nullptr;
    if (group == nullptr || size != sizeof header + std::size_t{3} * header.cbKey) return NTE_BAD_DATA;
    std::vector<unsigned char> point{4};
    point.insert(point.end(), at, at + std::size_t{2} * header.cbKey);
    at += std::size_t{2} * header.cbKey;
    parameters.add(OSSL_PKEY_PARAM_GROUP_NAME, group);
    parameters.add(OSSL_PKEY_PARAM_PUB_KEY, point);
    parameters.add_number(OSSL_PKEY_PARAM_PRIV_KEY, next(header.cbKey));
    object->key = parameters.key("EC", EVP_PKEY_KEYPAIR);
  } else {
    return NTE_NOT_SUPPORTED;
  }
  return object->key != nullptr ? SECURITY_STATUS{ERROR_SUCCESS} : NTE_BAD_DATA;
}

SECURITY_STATUS WINAPI NCryptFinalizeKey(NCRYPT_KEY_HANDLE handle, DWORD flags) {
  if ((flags & ~DWORD{NCRYPT_SILENT_FLAG}) != 0) return NTE_BAD_FLAGS;
  const Object* object = find(handle, Kind::kKey);
  if (object == nullptr || object->key == nullptr || object->file.empty()) return NTE_INVALID_HANDLE;
  BIO* pem = BIO_new_file((object->file + ".pem").c_str(), "w");
  const bool written =
      pem != nullptr && PEM_write_bio_PKCS8PrivateKey(pem, object->key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  BIO_free(pem);
  return written ? SECURITY_STATUS{ERROR_SUCCESS} : NTE_FAIL;
}

SECURITY_STATUS WINAPI NCryptDeleteKey(NCRYPT_KEY_HANDLE handle, DWORD /*flags*/) {
  const Object* object = find(handle, Kind::kKey);
  if (object == nullptr) return NTE_INVALID_HANDLE;
  if (std::remove((object->file + ".pem").c_str()) != 0) return NTE_BAD_KEYSET;
  return NCryptFreeObject(handle);
}

SECURITY_STATUS WINAPI NCryptSignHash(NCRYPT_KEY_HANDLE handle, VOID* padding, PBYTE hash, DWORD hash_size, PBYTE out,
                                      DWORD size, DWORD* length, DWORD flags) {
  const Object* object = find(handle, Kind::kKey);
  if (object == nullptr) return NTE_INVALID_HANDLE;
  if (forbidden(*object, flags)) return NTE_SILENT_CONTEXT;
  const Context context(object->key);
  if (EVP_PKEY_sign_init(context.get) <= 0) return NTE_FAIL;
  const DWORD scheme = flags & ~DWORD{NCRYPT_SILENT_FLAG};
  if (!is_rsa(*object)) {
    if (padding != nullptr || scheme != 0 || hash_size > field_size(object->key)) return NTE_INVALID_PARAMETER;
  } else if (scheme == NCRYPT_PAD_PKCS1_FLAG) {
    const LPCWSTR name = static_cast<BCRYPT_PKCS1_PADDING_INFO*>(padding)->pszAlgId;
    EVP_PKEY_CTX_set_rsa_padding(context.get, RSA_PKCS1_PADDING);
    if (name != nullptr) {
      const EVP_MD* md = digest(name);
      if (md == nullptr) return NTE_NOT_SUPPORTED;
      if (static_cast<int>(hash_size) != EVP_MD_get_size(md)) return NTE_INVALID_PARAMETER;
      EVP_PKEY_CTX_set_signature_md(context.get, md);
    }
  } else if (scheme == NCRYPT_PAD_PSS_FLAG) {
    const auto* info = static_cast<BCRYPT_PSS_PADDING_INFO*>(padding);
    const EVP_MD* md = digest(info->pszAlgId);
    if (md == nullptr) return NTE_NOT_SUPPORTED;
    if (static_cast<int>(hash_size) != EVP_MD_get_size(md)) return NTE_INVALID_PARAMETER;
    EVP_PKEY_CTX_set_rsa_padding(context.get, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_signature_md(context.get, md);
    EVP_PKEY_CTX_set_rsa_mgf1_md(context.get, md);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get, static_cast<int>(info->cbSalt));
  } else {
    return NTE_BAD_FLAGS;
  }
  std::vector<unsigned char> signature(static_cast<std::size_t>(EVP_PKEY_get_size(object->key)));
  std::size_t made = signature.size();
  if (EVP_PKEY_sign(context.get, signature.data(), &made, hash, hash_size) <= 0) return NTE_INVALID_PARAMETER;
  signature.resize(made);
  if (!is_rsa(*object)) {
    const std::size_t field = field_size(object->key);
    const unsigned char* der = signature.data();
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(made));
    std::vector<unsigned char> raw(2 * field);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw.data(), static_cast<int>(field));
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw.data() + field, static_cast<int>(field));
    ECDSA_SIG_free(pair);
    signature = std::move(raw);
  }
  return give(signature, out, size, length);
}

SECURITY_STATUS WINAPI NCryptDecrypt(NCRYPT_KEY_HANDLE handle, PBYTE data, DWORD data_size, VOID* padding, PBYTE out,
                                     DWORD size, DWORD* length, DWORD flags) {
  const Object* object = find(handle, Kind::kKey);
  if (object == nullptr) return NTE_INVALID_HANDLE;
  if (forbidden(*object, flags)) return NTE_SILENT_CONTEXT;
  const Context context(object->key);
  if (EVP_PKEY_decrypt_init(context.get) <= 0) return NTE_NOT_SUPPORTED;
  const DWORD scheme = flags & ~DWORD{NCRYPT_SILENT_FLAG};
  if (scheme == NCRYPT_PAD_OAEP_FLAG) {
    const auto* info = static_cast<BCRYPT_OAEP_PADDING_INFO*>(padding);
    const EVP_MD* md = digest(info->pszAlgId);
    if (md == nullptr) return NTE_NOT_SUPPORTED;
    EVP_PKEY_CTX_set_rsa_padding(context.get, RSA_PKCS1_OAEP_PADDING);
    EVP_PKEY_CTX_set_rsa_oaep_md(context.get, md);
    EVP_PKEY_CTX_set_rsa_mgf1_md(context.get, md);
    if (info->cbLabel != 0) {
      void* label = OPENSSL_memdup(info->pbLabel, info->cbLabel);
      EVP_PKEY_CTX_set0_rsa_oaep_label(context.get, label, static_cast<int>(info->cbLabel));
    }
  } else if (scheme != NCRYPT_PAD_PKCS1_FLAG || padding != nullptr) {
    return NTE_BAD_FLAGS;
  }
  std::vector<unsigned char> plaintext(static_cast<std::size_t>(EVP_PKEY_get_size(object->key)));
  std::size_t made = plaintext.size();
  if (EVP_PKEY_decrypt(context.get, plaintext.data(), &made, data, data_size) <= 0) return NTE_INVALID_PARAMETER;
  plaintext.resize(made);
  return give(plaintext, out, size, length);
}

SECURITY_STATUS WINAPI NCryptSecretAgreement(NCRYPT_KEY_HANDLE own, NCRYPT_KEY_HANDLE peer,
                                             NCRYPT_SECRET_HANDLE* secret, DWORD flags) {
  const Object* object = find(own, Kind::kKey);
  const Object* other = find(peer, Kind::kKey);
  if (object == nullptr || other == nullptr) return NTE_INVALID_HANDLE;
  if (forbidden(*object, flags)) return NTE_SILENT_CONTEXT;
  const auto group = object->properties.find("Algorithm Group");
  if (group == object->properties.end() || group->second != "ECDH") return NTE_NOT_SUPPORTED;
  const Context context(object->key);
  std::size_t length = field_size(object->key);
  Object made{Kind::kSecret};
  made.secret.resize(length);
  if (EVP_PKEY_derive_init(context.get) <= 0 || EVP_PKEY_derive_set_peer(context.get, other->key) <= 0 ||
      EVP_PKEY_derive(context.get, made.secret.data(), &length) <= 0) {
    return NTE_INVALID_PARAMETER;
  }
  *secret = reinterpret_cast<ULONG_PTR>(add(std::move(made)));
  return ERROR_SUCCESS;
}

SECURITY_STATUS WINAPI NCryptDeriveKey(NCRYPT_SECRET_HANDLE handle, LPCWSTR function, NCryptBufferDesc* /*parameters*/,
                                       PBYTE out, DWORD size, DWORD* length, ULONG /*flags*/) {
  const Object* object = find(handle, Kind::kSecret);
  if (object == nullptr) return NTE_INVALID_HANDLE;
  if (narrow(function) != "TRUNCATE") return NTE_NOT_SUPPORTED;
  // Windows gives it with the lowest byte first.
  return give({object->secret.rbegin(), object->secret.rend()}, out, size, length);
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name)

}  // extern "C"
