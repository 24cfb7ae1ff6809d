#include "backends/file/file_store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>

#include "backends/configured_store.h"
#include "backends/file/pem.h"
#include "backends/file/pkcs12.h"
#include "backends/file/watched_file.h"
#include "identity/process.h"
#include "identity/software_key.h"

namespace devtrust {
namespace {

constexpr std::uint64_t kMaxFile = std::uint64_t{16} << 20U;
// A file system may give a second change the time of the first: so soon after one, what was read may already be old.
constexpr std::int64_t kTimeResolution = 20'000'000;  // nanoseconds
constexpr std::string_view kFileSource = "file:";

/// The text of one PEM block that holds an encrypted key.
struct LockedKey {
  std::string path, label;
  SecureBytes text;
  PemBlock block() const { return {label, text}; }
};

/// The password of a store's encrypted key. It is kept until lock(), since the next key will have the same one.
class FileLogin final : public Login {
 public:
  /// What unlock() tries a password on.
  void set_key(std::shared_ptr<const LockedKey> key) {
    const std::lock_guard guard(mutex_);
    key_ = std::move(key);
  }
  Result<void> unlock(std::string_view password) override {
    std::shared_ptr<const LockedKey> key;
    {
      const std::lock_guard guard(mutex_);
      key = key_;
    }
    if (const auto opened = pem_private_key(key->block(), password); !opened) {
      return fail(opened.error().code, key->path + ": the private key cannot be used: " + opened.error().message);
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
  /// Raised by each lock().
  std::uint64_t generation() const { return generation_.load(); }

  Result<EvpPkeyPtr> open(const LockedKey& key) {
    SecureBytes password;
    {
      const std::lock_guard guard(mutex_);
      if (!password_) return fail(ErrorCode::kLoginRequired, key.path + ": the private key needs its password");
      password = *password_;
    }
    auto opened = pem_private_key(key.block(), as_text(password));
    if (opened) return opened;
    if (opened.error().code == ErrorCode::kWrongPassword) {
      lock();
      return fail(ErrorCode::kLoginRequired, key.path + " was replaced by a key with another password: log in again");
    }
    return fail(opened.error().code, key.path + ": the private key cannot be used: " + opened.error().message);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const LockedKey> key_;
  std::optional<SecureBytes> password_;
  std::atomic<std::uint64_t> generation_{0};
};

/// An encrypted PEM key: the certificate says what its public key is, and the first use shows whether that is true.
class EncryptedKey final : public PrivateKey {
 public:
  EncryptedKey(PublicKey public_key, std::shared_ptr<const LockedKey> locked, std::shared_ptr<FileLogin> login)
      : PrivateKey(std::move(public_key), {}), locked_(std::move(locked)), login_(std::move(login)) {}

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
    auto evp = login_->open(*locked_);
    if (!evp) return fail(evp);
    auto key = SoftwareKey::from_evp(*std::move(evp), public_key(), traits());
    if (!key) {
      if (key.error().code == ErrorCode::kKeyMismatch) intact_ = false;
      return key;
    }
    key_ = *std::move(key);
    generation_ = generation;
    return key_;
  }

  const std::shared_ptr<const LockedKey> locked_;
  const std::shared_ptr<FileLogin> login_;
  mutable std::atomic<bool> intact_{true};
  mutable std::mutex mutex_;  // guards what follows
  mutable std::shared_ptr<const SoftwareKey> key_;
  mutable std::uint64_t generation_ = 0;
};

/// What one read gathers.
struct Reading {
  StoreContents contents;
  std::vector<LockedKey> locked;
  std::optional<Result<SecureBytes>> pin;  // the pin_source's, once it was needed

  void complain(ErrorCode code, std::string message) { contents.problems.push_back({code, std::move(message)}); }
};

class FileStore final : public Store {
 public:
  explicit FileStore(const StoreConfig& config)
      : path_(config.path),
        key_path_(config.key_path),
        pin_source_(config.pin_source),
        pin_path_(pin_source_.starts_with(kFileSource) ? expand_home(pin_source_.substr(kFileSource.size())) : "") {}

  std::string_view kind() const override { return "file"; }
  const std::string& location() const override { return path_; }
  StoreVersion version() const override { return look().version; }
  Result<StoreContents> read() override;

 private:
  struct Look {
    StoreVersion version;
    std::int64_t newest = 0;  ///< when a file was last modified or put in its place, in nanoseconds
  };
  /// Follows links, which is how mounted secrets are swapped.
  Look look() const;
  const Result<SecureBytes>& pin(Reading& reading) const;

  /// Each answers whether there is a private key in the clear.
  Result<bool> take_file(const std::string& path, ByteView content, Reading& reading) const;
  bool take_pem(const std::string& path, const PemBlocks& pem, Reading& reading) const;
  bool take_pem_key(const std::string& path, const PemBlock& block, Reading& reading) const;
  Result<bool> take_pkcs12(const std::string& path, ByteView content, Reading& reading) const;

  static void take_certificate(const std::string& path, ByteView der, Reading& reading);
  static void add_key(const std::string& path, EvpPkeyPtr evp, Reading& reading);
  void add_locked_key(Reading& reading);

  const std::string path_, key_path_, pin_source_, pin_path_;
  const std::shared_ptr<FileLogin> login_ = std::make_shared<FileLogin>();  // outlives every key
};

FileStore::Look FileStore::look() const {
  Look look;
  std::ptrdiff_t word = 0;
  for (const std::string* path : {&path_, &key_path_, &pin_path_}) {
    const FileStamp stamp = path->empty() ? FileStamp() : stamp_of(*path);
    look.newest = std::max(look.newest, stamp.newest);
    std::ranges::copy(stamp.words, look.version.words.begin() + word);
    word += std::ssize(stamp.words);
  }
  return look;
}

const Result<SecureBytes>& FileStore::pin(Reading& reading) const {
  if (!reading.pin) reading.pin = read_pin_source(pin_source_);
  return *reading.pin;
}

Result<StoreContents> FileStore::read() {
  const Look before = look();
  Reading reading;
  for (const std::string* path : {&path_, &key_path_}) {
    if (path->empty()) continue;
    const auto file = read_watched(*path, kMaxFile);
    const auto clear = file ? take_file(*path, file->content, reading) : Result<bool>(fail(file));
    if (clear) {
      if (*clear && file->open_to_others) {
        reading.complain(ErrorCode::kInvalidConfig,
                         *path + " holds a private key and others may read or replace it: " + kCloseToOthers);
      }
    } else if (path == &path_) {
      return fail(clear);
    } else {
      reading.complain(clear.error().code, clear.error().message);
    }
  }
  add_locked_key(reading);
  if (reading.contents.certificates.empty() && reading.contents.problems.empty()) {
    return fail(ErrorCode::kCorrupt, path_ + " has no certificate in it: expected PEM, PKCS#12 or a DER certificate");
  }
  const Look after = look();
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const bool settled = after.newest + kTimeResolution < now || after.newest > now;
  if (before.version == after.version && settled) reading.contents.version = after.version;
  return std::move(reading.contents);
}

Result<bool> FileStore::take_file(const std::string& path, ByteView content, Reading& reading) const {
  const PemBlocks pem = pem_blocks(content);
  if (!pem.blocks.empty() || pem.cut_off) return take_pem(path, pem, reading);
  if (looks_like_pkcs12(content)) return take_pkcs12(path, content, reading);
  if (content.empty()) return fail(ErrorCode::kCorrupt, path + " is empty");
  take_certificate(path, content, reading);
  return false;
}

bool FileStore::take_pem(const std::string& path, const PemBlocks& pem, Reading& reading) const {
  bool clear = false;
  for (const PemBlock& block : pem.blocks) {
    if (block.label == "CERTIFICATE" || block.label == "X509 CERTIFICATE") {
      take_certificate(path, pem_content(block).value_or(Bytes()), reading);
    } else if (block.label.ends_with("PRIVATE KEY")) {
      clear |= take_pem_key(path, block, reading);
    }
  }
  if (pem.cut_off) reading.complain(ErrorCode::kCorrupt, path + " is cut off within a PEM block");
  return clear;
}

bool FileStore::take_pem_key(const std::string& path, const PemBlock& block, Reading& reading) const {
  auto key = pem_private_key(block, std::nullopt);
  if (key) {
    add_key(path, *std::move(key), reading);
    return true;
  }
  if (key.error().code == ErrorCode::kLoginRequired) {
    if (pin_source_.empty()) {
      reading.locked.push_back({path, std::string(block.label), SecureBytes(block.text.begin(), block.text.end())});
      return false;
    }
    const auto& password = pin(reading);
    if (!password) {
      reading.complain(password.error().code, password.error().message);
      return false;
    }
    key = pem_private_key(block, as_text(*password));
  }
  if (key) {
    add_key(path, *std::move(key), reading);
  } else {
    reading.complain(key.error().code, path + ": a private key is passed over: " + key.error().message);
  }
  return false;
}

Result<bool> FileStore::take_pkcs12(const std::string& path, ByteView content, Reading& reading) const {
  std::optional<std::string_view> password;
  if (!pin_source_.empty()) {
    const auto& read = pin(reading);
    if (!read) return fail(ErrorCode::kInvalidConfig, read.error().message);
    password = as_text(*read);
  }
  auto p12 = read_pkcs12(content, password);
  if (!p12) return fail(p12.error().code, path + " cannot be used: " + p12.error().message);
  for (const Bytes& certificate : p12->certificates) take_certificate(path, certificate, reading);
  for (EvpPkeyPtr& key : p12->keys) add_key(path, std::move(key), reading);
  for (Error& problem : p12->problems) reading.complain(problem.code, path + ": " + problem.message);
  return !p12->keys.empty() && (!password || password->empty());
}

void FileStore::take_certificate(const std::string& path, ByteView der, Reading& reading) {
  auto parsed = Certificate::parse(der);
  if (parsed) {
    reading.contents.certificates.push_back(*std::move(parsed));
  } else {
    reading.complain(parsed.error().code, path + ": a certificate is passed over: " + parsed.error().message);
  }
}

void FileStore::add_key(const std::string& path, EvpPkeyPtr evp, Reading& reading) {
  const auto public_key = PublicKey::from_evp(evp.get());
  auto key = public_key ? SoftwareKey::from_evp(std::move(evp), *public_key, {})
                        : Result<std::shared_ptr<const SoftwareKey>>(fail(public_key));
  if (key) {
    reading.contents.keys.push_back(*std::move(key));
  } else {
    reading.complain(key.error().code, path + ": a private key is passed over: " + key.error().message);
  }
}

/// An encrypted key does not say whose it is: it is the one leaf's that has no key yet.
void FileStore::add_locked_key(Reading& reading) {
  if (reading.locked.empty()) return;
  StoreContents& contents = reading.contents;
  std::vector<CertificatePtr> leaves;
  for (const CertificatePtr& certificate : contents.certificates) {
    const bool has_key = std::ranges::any_of(
        contents.keys, [&](const auto& key) { return key->public_key() == certificate->public_key(); });
    if (!certificate->is_ca() && !has_key) leaves.push_back(certificate);
  }
  if (reading.locked.size() > 1 || leaves.size() != 1) {
    reading.complain(ErrorCode::kUnsupported,
                     path_ + " has " + std::to_string(reading.locked.size()) + " encrypted keys for " +
                         std::to_string(leaves.size()) +
                         " certificates, and they do not say which is whose: name a pin_source in the configuration");
    return;
  }
  const auto locked = std::make_shared<const LockedKey>(std::move(reading.locked.front()));
  login_->set_key(locked);
  contents.keys.push_back(std::make_shared<EncryptedKey>(leaves.front()->public_key(), locked, login_));
  contents.login = login_;
}

}  // namespace

std::unique_ptr<StoreSource> file_store_at(const StoreConfig& config) {
  return std::make_unique<ConfiguredStore>(std::make_shared<FileStore>(config));
}

}  // namespace devtrust
