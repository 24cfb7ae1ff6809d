#include "backends/file/file_store.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>

#include "identity/der.h"
#include "identity/openssl.h"
#include "identity/software_key.h"

namespace devtrust {
namespace {

constexpr off_t kMaxFile = off_t{16} << 20;
constexpr std::size_t kMaxBlocks = 4096;

Result<SecureBytes> read_whole(const std::string& path, std::vector<Error>& problems, bool holds_key) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return fail(missing ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
                path + (missing ? " is not there" : " cannot be opened: " + std::string(std::strerror(errno))));
  }
  const auto close_and = [file](auto result) {
    close(file);
    return result;
  };
  struct stat status {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    return close_and(Result<SecureBytes>(fail(ErrorCode::kCorrupt, path + " is not a regular file")));
  }
  if (status.st_size > kMaxFile) {
    return close_and(Result<SecureBytes>(fail(ErrorCode::kCorrupt, path + " is longer than 16 MiB")));
  }
  if (holds_key && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    problems.push_back({ErrorCode::kInvalidConfig, path + " holds a private key and others may read or write it: run "
                                                          "chmod 600 on it"});
  }
  SecureBytes content(static_cast<std::size_t>(status.st_size));
  std::size_t length = 0;
  while (length < content.size()) {
    const ssize_t got = read(file, content.data() + length, content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return close_and(
          Result<SecureBytes>(fail(ErrorCode::kIo, path + " cannot be read: " + std::string(std::strerror(errno)))));
    }
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  content.resize(length);
  return close_and(Result<SecureBytes>(std::move(content)));
}

/// The callback that PEM asks for a password: ours or none, never a person.
struct Password {
  std::optional<std::string_view> text;
  bool asked = false;

  static int give(char* buffer, int size, int /*writing*/, void* self) {
    auto& password = *static_cast<Password*>(self);
    password.asked = true;
    if (!password.text || password.text->size() > static_cast<std::size_t>(size)) return -1;
    std::memcpy(buffer, password.text->data(), password.text->size());
    return static_cast<int>(password.text->size());
  }
};

/// `asked` in `password` tells that the key is encrypted, whatever comes back.
EvpPkeyPtr decode_key(ByteView pem, Password& password) {
  const ErrorQueueGuard guard;
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (in == nullptr || libctx() == nullptr) return nullptr;
  return EvpPkeyPtr(PEM_read_bio_PrivateKey_ex(in.get(), nullptr, Password::give, &password, libctx(), nullptr));
}

/// The password of one store's encrypted keys.
class FileLogin final : public Login {
 public:
  FileLogin(std::string location, SecureBytes pem) : location_(std::move(location)), pem_(std::move(pem)) {}

  Result<void> unlock(std::string_view password) override {
    Password given{password};
    if (decode_key(pem_, given) == nullptr) {
      return fail(ErrorCode::kWrongPassword, "the password is not that of the key in " + location_);
    }
    const std::lock_guard guard(mutex_);
    password_.emplace(password.begin(), password.end());
    return {};
  }
  void lock() override {
    const std::lock_guard guard(mutex_);
    password_.reset();
    ++generation_;
  }
  bool unlocked() const override {
    const std::lock_guard guard(mutex_);
    return password_.has_value();
  }
  bool is_for(const std::string& location, const SecureBytes& pem) const {
    return location == location_ && pem == pem_;
  }

  /// kLoginRequired. `generation` differs after each lock().
  Result<EvpPkeyPtr> open() const {
    SecureBytes password;
    {
      const std::lock_guard guard(mutex_);
      if (!password_) return fail(ErrorCode::kLoginRequired, "the key in " + location_ + " needs its password");
      password = *password_;
    }
    Password given{as_text(password)};
    auto key = decode_key(pem_, given);
    if (key == nullptr) return fail(ErrorCode::kCorrupt, "the key in " + location_ + " is damaged");
    return key;
  }
  std::uint64_t generation() const { return generation_.load(); }

 private:
  const std::string location_;
  const SecureBytes pem_;
  mutable std::mutex mutex_;
  std::optional<SecureBytes> password_;
  std::atomic<std::uint64_t> generation_{0};
};

/// An encrypted PEM key: the certificate says what its public key is, and the first use shows whether that is true.
class EncryptedKey final : public PrivateKey {
 public:
  EncryptedKey(PublicKey public_key, std::shared_ptr<const FileLogin> login)
      : PrivateKey(std::move(public_key), {}), login_(std::move(login)) {}

  bool can_sign(const SignScheme& scheme) const override {
    return SoftwareKey::type_can_sign(public_key().type(), scheme);
  }
  bool can_decrypt(const CipherScheme& scheme) const override {
    return SoftwareKey::type_can_decrypt(public_key().type(), scheme);
  }
  bool can_derive() const override { return SoftwareKey::type_can_derive(public_key().type()); }
  bool intact() const override { return intact_.load(std::memory_order_relaxed); }
  Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const override {
    const auto key = opened();
    if (!key) return fail(key);
    return (*key)->sign(scheme, input, out);
  }
  Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) const override {
    const auto key = opened();
    if (!key) return fail(key);
    return (*key)->decrypt(scheme, ciphertext);
  }
  Result<SecureBytes> derive(ByteView peer) const override {
    const auto key = opened();
    if (!key) return fail(key);
    return (*key)->derive(peer);
  }
  Result<void> prepare() const override {
    const auto key = opened();
    if (!key) return fail(key);
    return {};
  }

 private:
  Result<std::shared_ptr<const SoftwareKey>> opened() const {
    const std::lock_guard guard(mutex_);
    const std::uint64_t generation = login_->generation();
    if (key_ && generation_ == generation) return key_;
    key_.reset();
    auto evp = login_->open();
    if (!evp) return fail(evp);
    auto key = SoftwareKey::from_evp(*std::move(evp), public_key(), traits());
    if (!key) {
      intact_ = false;
      return key;
    }
    key_ = *std::move(key);
    generation_ = generation;
    return key_;
  }

  const std::shared_ptr<const FileLogin> login_;
  mutable std::atomic<bool> intact_{true};
  mutable std::mutex mutex_;  // guards what follows
  mutable std::shared_ptr<const SoftwareKey> key_;
  mutable std::uint64_t generation_ = 0;
};

struct PemBlock {
  std::string_view label;
  ByteView text;  ///< BEGIN and END lines included
};

std::vector<PemBlock> pem_blocks(ByteView content) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kDashes = "-----";
  const std::string_view text = as_text(content);
  std::vector<PemBlock> blocks;
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos && blocks.size() < kMaxBlocks;
       at = text.find(kBegin, at)) {
    const std::size_t label_at = at + kBegin.size();
    const std::size_t label_end = text.find(kDashes, label_at);
    if (label_end == std::string_view::npos) break;
    const std::string_view label = text.substr(label_at, label_end - label_at);
    const std::string end_line = "-----END " + std::string(label) + std::string(kDashes);
    const std::size_t end = text.find(end_line, label_end);
    if (end == std::string_view::npos) {
      at = label_end;
      continue;
    }
    blocks.push_back({label, content.subspan(at, end + end_line.size() - at)});
    at = end + end_line.size();
  }
  return blocks;
}

std::optional<Bytes> pem_content(const PemBlock& block) {
  const ErrorQueueGuard guard;
  const BioPtr in(BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long length = 0;
  if (in == nullptr || PEM_read_bio(in.get(), &name, &header, &data, &length) != 1) return std::nullopt;
  Bytes der(data, data + length);
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  return der;
}

using Pkcs12Ptr = std::unique_ptr<PKCS12, OpensslDeleter<PKCS12_free>>;
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, OpensslDeleter<PKCS8_PRIV_KEY_INFO_free>>;

struct FreeBags {
  void operator()(STACK_OF(PKCS12_SAFEBAG) * bags) const { sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free); }
};
struct FreeSafes {
  void operator()(STACK_OF(PKCS7) * safes) const { sk_PKCS7_pop_free(safes, PKCS7_free); }
};

class FileStore final : public Store {
 public:
  explicit FileStore(StoreConfig config) : config_(std::move(config)) {}

  std::string_view kind() const override { return "file"; }
  const std::string& location() const override { return config_.path; }

  StoreVersion version() const override {
    StoreVersion version;
    std::size_t word = 0;
    for (const std::string* path : {&config_.path, &config_.key_path}) {
      struct stat status {};
      if (path->empty() || stat(path->c_str(), &status) != 0) {
        word += 6;
        continue;
      }
      for (const std::int64_t value :
           {static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
            static_cast<std::int64_t>(status.st_size), static_cast<std::int64_t>(status.st_mtim.tv_sec),
            static_cast<std::int64_t>(status.st_mtim.tv_nsec), static_cast<std::int64_t>(status.st_ctim.tv_nsec)}) {
        version.words.at(word++) = static_cast<std::uint64_t>(value);
      }
    }
    return version;
  }

  Result<StoreContents> read() override {
    const StoreVersion before = version();
    StoreContents contents;
    std::vector<std::pair<std::string, SecureBytes>> encrypted;
    for (const std::string* path : {&config_.path, &config_.key_path}) {
      if (path->empty()) continue;
      const auto content = read_whole(*path, contents.problems, path == &config_.key_path);
      if (!content) return fail(content);
      if (auto taken = take(*path, *content, contents, encrypted); !taken) return fail(taken);
    }
    add_software_keys(contents);
    add_encrypted_keys(contents, encrypted);
    if (contents.certificates.empty() && contents.problems.empty()) {
      return fail(ErrorCode::kCorrupt,
                  config_.path + " holds no certificate: it must be PEM, PKCS#12 or a DER certificate");
    }
    if (before == version()) contents.version = before;
    return contents;
  }

 private:
  Result<void> take(const std::string& path, const SecureBytes& content, StoreContents& contents,
                    std::vector<std::pair<std::string, SecureBytes>>& encrypted) {
    const auto blocks = pem_blocks(content);
    if (blocks.empty()) return take_der(path, content, contents);
    for (const PemBlock& block : blocks) {
      if (block.label == "CERTIFICATE" || block.label == "X509 CERTIFICATE") {
        const auto der = pem_content(block);
        take_certificate(path, der.value_or(Bytes()), contents);
      } else if (block.label.ends_with("PRIVATE KEY")) {
        take_key(path, block.text, contents, encrypted);
      }
    }
    return {};
  }

  static void take_certificate(const std::string& path, ByteView der, StoreContents& contents) {
    auto parsed = Certificate::parse(der);
    if (parsed) {
      contents.certificates.push_back(*std::move(parsed));
    } else {
      contents.problems.push_back(
          {parsed.error().code, path + ": a certificate is passed over: " + parsed.error().message});
    }
  }

  void take_key(const std::string& path, ByteView pem, StoreContents& contents,
                std::vector<std::pair<std::string, SecureBytes>>& encrypted) {
    Password password;
    if (auto key = decode_key(pem, password)) {
      opened_.push_back(std::move(key));
      return;
    }
    if (!password.asked) {
      contents.problems.push_back({ErrorCode::kCorrupt, path + ": a private key is damaged or of an unknown kind"});
      return;
    }
    if (config_.pin_source.empty()) {
      encrypted.emplace_back(path, SecureBytes(pem.begin(), pem.end()));
      return;
    }
    const auto pin = read_pin_source(config_.pin_source);
    if (!pin) {
      contents.problems.push_back(pin.error());
      return;
    }
    Password given{as_text(*pin)};
    if (auto key = decode_key(pem, given)) {
      opened_.push_back(std::move(key));
    } else {
      contents.problems.push_back({ErrorCode::kWrongPassword, path + ": the password in " + config_.pin_source +
                                                                  " does not open the private key"});
    }
  }

  Result<void> take_der(const std::string& path, const SecureBytes& content, StoreContents& contents) {
    const ErrorQueueGuard guard;
    const auto sequence = der_single(content, der::kSequence);
    if (!sequence) return fail(ErrorCode::kCorrupt, path + " is neither PEM nor DER");
    if (DerReader(sequence->content).peek() != der::kInteger) {
      take_certificate(path, content, contents);
      return {};
    }
    Pkcs12Ptr p12(libctx() != nullptr ? PKCS12_init_ex(NID_pkcs7_data, libctx(), nullptr) : nullptr);
    PKCS12* target = p12.release();
    const unsigned char* cursor = content.data();
    target = target != nullptr ? d2i_PKCS12(&target, &cursor, static_cast<long>(content.size())) : nullptr;
    p12.reset(target);
    if (p12 == nullptr) return fail(ErrorCode::kCorrupt, path + " is not a PKCS#12 file: " + openssl_reason());

    SecureBytes pin;
    if (!config_.pin_source.empty()) {
      auto read = read_pin_source(config_.pin_source);
      if (!read) return fail(read);
      pin = *std::move(read);
    }
    pin.push_back(0);
    const char* password = as_text(pin).data();
    if (PKCS12_mac_present(p12.get()) == 1 && PKCS12_verify_mac(p12.get(), password, -1) != 1) {
      if (config_.pin_source.empty() && PKCS12_verify_mac(p12.get(), nullptr, 0) == 1) {
        password = nullptr;
      } else {
        return fail(
            ErrorCode::kWrongPassword,
            path + (config_.pin_source.empty() ? " has a password: name a pin_source for it in the configuration"
                                               : ": the password in " + config_.pin_source + " does not open it"));
      }
    }
    return take_safes(path, p12.get(), password, contents);
  }

  Result<void> take_safes(const std::string& path, PKCS12* p12, const char* password, StoreContents& contents) {
    const std::unique_ptr<STACK_OF(PKCS7), FreeSafes> safes(PKCS12_unpack_authsafes(p12));
    if (safes == nullptr) return fail(ErrorCode::kCorrupt, path + " is damaged: " + openssl_reason());
    for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
      PKCS7* safe = sk_PKCS7_value(safes.get(), i);
      const std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), FreeBags> bags(
          PKCS7_type_is_data(safe) ? PKCS12_unpack_p7data(safe) : PKCS12_unpack_p7encdata(safe, password, -1));
      if (bags == nullptr) {
        return fail(
            ErrorCode::kUnsupported,
            path + " is encrypted in a way that cannot be read (" + openssl_reason() +
                "): export it again with: openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW");
      }
      for (int j = 0; j < sk_PKCS12_SAFEBAG_num(bags.get()); ++j) {
        take_bag(path, sk_PKCS12_SAFEBAG_value(bags.get(), j), password, contents);
      }
    }
    return {};
  }

  void take_bag(const std::string& path, const PKCS12_SAFEBAG* bag, const char* password, StoreContents& contents) {
    Pkcs8Ptr decrypted;
    const PKCS8_PRIV_KEY_INFO* pkcs8 = nullptr;
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
      case NID_keyBag:
        pkcs8 = PKCS12_SAFEBAG_get0_p8inf(bag);
        break;
      case NID_pkcs8ShroudedKeyBag:
        decrypted.reset(PKCS12_decrypt_skey_ex(bag, password, -1, libctx(), nullptr));
        pkcs8 = decrypted.get();
        break;
      case NID_certBag:
        take_certificate_bag(path, bag, contents);
        return;
      default:
        return;
    }
    EvpPkeyPtr key(pkcs8 != nullptr ? EVP_PKCS82PKEY_ex(pkcs8, libctx(), nullptr) : nullptr);
    if (key != nullptr) {
      opened_.push_back(std::move(key));
    } else {
      contents.problems.push_back({ErrorCode::kCorrupt, path + ": a private key cannot be read: " + openssl_reason()});
    }
  }

  /// libcrypto would make an X509 of the host's default context: the certificate's bytes are taken from the bag
  /// instead.
  static void take_certificate_bag(const std::string& path, const PKCS12_SAFEBAG* bag, StoreContents& contents) {
    unsigned char* encoded = nullptr;
    const int length = i2d_PKCS12_SAFEBAG(bag, &encoded);
    if (length <= 0) return;
    const std::unique_ptr<unsigned char, OpensslDeleter<[](unsigned char* p) { OPENSSL_free(p); }>> owner(encoded);
    const auto outer = der_single({encoded, static_cast<std::size_t>(length)}, der::kSequence);
    if (!outer) return;
    DerReader fields(outer->content);
    fields.next(der::kOid);
    const auto value = fields.next(der::context_constructed(0));
    const auto cert_bag = value ? der_single(value->content, der::kSequence) : std::nullopt;
    if (!cert_bag) return;
    DerReader cert_fields(cert_bag->content);
    cert_fields.next(der::kOid);
    const auto wrapped = cert_fields.next(der::context_constructed(0));
    const auto octets = wrapped ? der_single(wrapped->content, der::kOctetString) : std::nullopt;
    if (octets) take_certificate(path, octets->content, contents);
  }

  void add_software_keys(StoreContents& contents) {
    for (EvpPkeyPtr& evp : opened_) {
      const auto public_key = PublicKey::from_evp(evp.get());
      auto key = public_key ? SoftwareKey::from_evp(std::move(evp), *public_key, {})
                            : Result<std::shared_ptr<const SoftwareKey>>(fail(public_key));
      if (key) {
        contents.keys.push_back(*std::move(key));
      } else {
        contents.problems.push_back(
            {key.error().code, config_.path + ": a private key is passed over: " + key.error().message});
      }
    }
    opened_.clear();
  }

  /// An encrypted key does not say whose it is: it is the one leaf's that has no key yet.
  void add_encrypted_keys(StoreContents& contents, std::vector<std::pair<std::string, SecureBytes>>& encrypted) {
    if (encrypted.empty()) return;
    std::vector<CertificatePtr> leaves;
    for (const CertificatePtr& certificate : contents.certificates) {
      const bool has_key = std::ranges::any_of(
          contents.keys, [&](const auto& key) { return key->public_key() == certificate->public_key(); });
      if (!certificate->is_ca() && !has_key) leaves.push_back(certificate);
    }
    if (encrypted.size() > 1 || leaves.size() != 1) {
      contents.problems.push_back(
          {ErrorCode::kUnsupported, config_.path + " has " + std::to_string(encrypted.size()) + " encrypted keys for " +
                                        std::to_string(leaves.size()) +
                                        " certificates, and they do not say which is whose: name a pin_source"});
      return;
    }
    auto& [path, pem] = encrypted.front();
    if (!login_ || !login_->is_for(path, pem)) login_ = std::make_shared<FileLogin>(path, std::move(pem));
    contents.keys.push_back(std::make_shared<EncryptedKey>(leaves.front()->public_key(), login_));
    contents.login = login_;
  }

  const StoreConfig config_;
  std::vector<EvpPkeyPtr> opened_;  // of the read that is going on
  std::shared_ptr<FileLogin> login_;
};

class FileSource final : public StoreSource {
 public:
  explicit FileSource(const StoreConfig& config) : store_(std::make_shared<FileStore>(config)) {}
  bool changed() const override { return false; }
  std::vector<std::shared_ptr<Store>> stores() override { return {store_}; }
  std::vector<Error> problems() const override { return {}; }
  bool explicitly_configured() const override { return true; }

 private:
  std::shared_ptr<Store> store_;
};

}  // namespace

std::unique_ptr<StoreSource> file_store_at(const StoreConfig& config) { return std::make_unique<FileSource>(config); }

}  // namespace devtrust
