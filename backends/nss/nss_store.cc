#include "backends/nss/nss_store.h"

#include <sys/stat.h>

#include <chrono>
#include <map>

#include "backends/nss/database.h"
#include "backends/nss/nss_key.h"

namespace devtrust {
namespace {

// CKK_… as PKCS#11 numbers them.
constexpr std::uint32_t kRsaKey = 0;
constexpr std::uint32_t kEcKey = 3;
constexpr std::uint32_t kEcEdwardsKey = 0x40;

// A file system may give a second change the time of the first: so soon after one, what was read may already be old.
constexpr std::int64_t kTimeResolution = 20'000'000;  // nanoseconds

/// NSS writes a CK_ULONG as four bytes, big-endian, whatever the machine.
std::optional<std::uint32_t> number(const std::optional<Bytes>& value) {
  if (!value || value->size() != 4) return std::nullopt;
  std::uint32_t result = 0;
  for (const std::uint8_t octet : *value) result = result << 8U | octet;
  return result;
}

bool flag(const std::optional<Bytes>& value, bool where_absent) {
  return value && value->size() == 1 ? (*value)[0] != 0 : where_absent;
}

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

class NssStore final : public Store {
 public:
  explicit NssStore(const StoreConfig& config)
      : folder_(config.path),
        files_{folder_ + "/cert9.db", folder_ + "/key4.db"},
        vault_(std::make_shared<NssVault>(folder_, config.pin_source)) {}

  std::string_view kind() const override { return "nss"; }
  const std::string& location() const override { return folder_; }
  StoreVersion version() const override { return look().version; }
  Result<StoreContents> read() override;

 private:
  struct Look {
    StoreVersion version;
    std::int64_t newest = 0;  ///< modification time, in nanoseconds
  };
  Look look() const;
  CertificatePtr certificate(const Bytes& der, std::vector<Error>& problems);
  std::shared_ptr<const NssKey> key(NssKeyRow& row, const StoreContents& contents,
                                    const std::shared_ptr<const NssSeal>& seal);

  const std::string folder_;
  const std::array<std::string, 2> files_;
  const std::shared_ptr<NssVault> vault_;
  // What the last read parsed and decrypted: what did not change is taken over.
  std::map<Bytes, CertificatePtr> certificates_;
  std::vector<std::shared_ptr<const NssKey>> keys_;
};

NssStore::Look NssStore::look() const {
  Look look;
  std::size_t word = 0;
  for (const std::string& file : files_) {
    struct stat status {};
    if (stat(file.c_str(), &status) != 0) return {};  // without either of them there is no database
    const std::int64_t modified = nanoseconds(status.st_mtim);
    look.newest = std::max(look.newest, modified);
    for (const std::int64_t value :
         {static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
          static_cast<std::int64_t>(status.st_size), modified, nanoseconds(status.st_ctim)}) {
      look.version.words.at(word++) = static_cast<std::uint64_t>(value);
    }
  }
  return look;
}

CertificatePtr NssStore::certificate(const Bytes& der, std::vector<Error>& problems) {
  if (const auto known = certificates_.find(der); known != certificates_.end()) return known->second;
  auto parsed = Certificate::parse(der);
  if (parsed) return *std::move(parsed);
  problems.push_back({parsed.error().code, folder_ + ": a certificate is passed over: " + parsed.error().message});
  return nullptr;
}

std::shared_ptr<const NssKey> NssStore::key(NssKeyRow& row, const StoreContents& contents,
                                            const std::shared_ptr<const NssSeal>& seal) {
  const auto type = number(row.key_type);
  std::optional<Bytes>* secret = &row.value;
  std::optional<PublicKey> public_key;
  if (type == kRsaKey) {
    secret = row.prime1.value_or(Bytes()).empty() ? &row.prime2 : &row.prime1;
    if (row.modulus && row.exponent) {
      if (auto made = PublicKey::rsa(*row.modulus, *row.exponent)) public_key = *made;
    }
  } else if (type && (*type == kEcKey || *type == kEcEdwardsKey)) {
    if (row.ec_params && row.ec_point) {
      if (auto made = PublicKey::ec(*row.ec_params, *row.ec_point)) public_key = *made;
    }
    if (!public_key && row.id) {  // a row without its point: the certificate of the same CKA_ID knows it
      for (const CertificatePtr& candidate : contents.certificates) {
        if (equal(candidate->public_key().id(), *row.id)) public_key = candidate->public_key();
      }
    }
  }
  if (!public_key || !*secret || (*secret)->empty()) return nullptr;
  for (const auto& known : keys_) {
    if (known->same_as(*public_key, **secret, *seal)) return known;
  }
  KeyTraits traits;
  if (row.label) traits.label = as_text(*row.label);
  traits.may_sign = flag(row.sign, true);
  traits.may_decrypt = flag(row.decrypt, true);
  traits.may_derive = flag(row.derive, true);
  traits.local = flag(row.local, false);
  traits.always_sensitive = flag(row.always_sensitive, false);
  traits.never_extractable = flag(row.never_extractable, false);
  return std::make_shared<const NssKey>(*public_key, std::move(traits), *std::move(*secret),
                                        std::move(row.coefficient).value_or(Bytes()), seal, vault_);
}

Result<StoreContents> NssStore::read() {
  const Look before = look();
  auto rows = read_nss_database(folder_);
  if (!rows) return fail(rows);
  StoreContents contents;
  contents.problems = std::move(rows->problems);
  std::map<Bytes, CertificatePtr> certificates;
  for (const Bytes& der : rows->certificates) {
    if (auto parsed = certificate(der, contents.problems)) {
      contents.certificates.push_back(parsed);
      certificates.emplace(der, std::move(parsed));
    }
  }
  certificates_ = std::move(certificates);

  if (!rows->keys.empty() && rows->password_check.empty()) {
    contents.problems.push_back(
        {ErrorCode::kCorrupt, folder_ + "/key4.db has no password entry, so its keys cannot be decrypted"});
    rows->keys.clear();
  }
  std::shared_ptr<const NssSeal> seal;
  if (!rows->keys.empty()) seal = vault_->seal(std::move(rows->global_salt), std::move(rows->password_check));
  std::vector<std::shared_ptr<const NssKey>> keys;
  for (NssKeyRow& row : rows->keys) {
    if (auto made = key(row, contents, seal)) keys.push_back(std::move(made));
  }
  contents.keys.assign(keys.begin(), keys.end());
  keys_ = std::move(keys);
  if (!contents.keys.empty() && vault_->needs_login()) contents.login = vault_;

  const Look after = look();
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const bool settled = after.newest + kTimeResolution < now || after.newest > now;
  if (before.version == after.version && settled) contents.version = after.version;
  return contents;
}

}  // namespace

std::shared_ptr<Store> make_nss_store(const StoreConfig& config) { return std::make_shared<NssStore>(config); }

}  // namespace devtrust
