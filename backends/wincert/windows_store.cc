#include "backends/wincert/windows_store.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <set>

#include "backends/wincert/cert_store.h"
#include "backends/wincert/windows_key.h"

namespace devtrust {
namespace {

using Clock = std::chrono::steady_clock;

// Where Windows does not tell of changes, the stores' content does: looked at this often, since it has to be read.
constexpr auto kLookAgainAfter = std::chrono::seconds(1);

/// Where issuers are, in both locations: shared by the two stores. Thread-safe.
class IssuerStores {
 public:
  std::uint64_t told_of_changes() {
    const std::lock_guard guard(mutex_);
    for (CertStore& store : stores_) changes_ += store.told_of_change() ? 1 : 0;
    return changes_;
  }
  std::uint64_t digest() const {
    const std::lock_guard guard(mutex_);
    std::uint64_t sum = 0;
    for (const CertStore& store : stores_) sum = sum * 31 + store.digest();
    return sum;
  }
  struct Contents {
    std::vector<StoredCertificate> certificates;
    std::uint64_t digest = 0;  ///< as above
  };
  /// A store that is not there or cannot be read has none: that is the common case, not a problem.
  Contents read() const {
    const std::lock_guard guard(mutex_);
    Contents contents;
    for (const CertStore& store : stores_) {
      auto read = store.read();
      contents.digest = contents.digest * 31 + (read ? digest_of(*read) : 0);
      if (read) std::ranges::move(*read, std::back_inserter(contents.certificates));
    }
    return contents;
  }

 private:
  mutable std::mutex mutex_;
  std::array<CertStore, 4> stores_{{{CertLocation::kCurrentUser, L"CA"},
                                    {CertLocation::kCurrentUser, L"Root"},
                                    {CertLocation::kLocalMachine, L"CA"},
                                    {CertLocation::kLocalMachine, L"Root"}}};
  std::uint64_t changes_ = 0;
};

class WindowsStore final : public Store {
 public:
  WindowsStore(CertLocation location, bool prompt, std::shared_ptr<IssuerStores> issuers)
      : location_(location == CertLocation::kCurrentUser ? "CurrentUser\\MY" : "LocalMachine\\MY"),
        prompt_(prompt),
        issuers_(std::move(issuers)),
        personal_(location, L"MY") {}

  std::string_view kind() const override { return "windows"; }
  const std::string& location() const override { return location_; }
  StoreVersion version() const override;
  Result<StoreContents> read() override;

 private:
  /// How often Windows told of a change.
  std::uint64_t told_of_changes() const;
  CertificatePtr certificate(const StoredCertificate& stored, std::vector<Error>& problems) const;
  void take_key(const Certificate& leaf, const StoredCertificate& stored, StoreContents& contents) const;
  void take_issuers(const std::vector<StoredCertificate>& candidates, StoreContents& contents) const;

  const std::string location_;
  const bool prompt_;
  const std::shared_ptr<IssuerStores> issuers_;
  mutable std::mutex mutex_;  // guards what follows: version() may be asked by one thread while another reads
  mutable CertStore personal_;
  mutable std::uint64_t changes_ = 0;
  mutable std::array<std::uint64_t, 2> digests_{};  // of MY and of the issuers
  mutable std::optional<Clock::time_point> looked_at_;
  // What the last read parsed and opened: what did not change is taken over.
  std::map<Bytes, CertificatePtr> certificates_;
  std::vector<std::shared_ptr<const WindowsKey>> keys_;
};

std::uint64_t WindowsStore::told_of_changes() const {
  changes_ += personal_.told_of_change() ? 1 : 0;
  return changes_ + issuers_->told_of_changes();
}

StoreVersion WindowsStore::version() const {
  const std::lock_guard guard(mutex_);
  const auto now = Clock::now();
  if (!looked_at_ || now - *looked_at_ >= kLookAgainAfter) {
    digests_ = {personal_.digest(), issuers_->digest()};
    looked_at_ = now;
  }
  return {{told_of_changes(), digests_[0], digests_[1]}};
}

CertificatePtr WindowsStore::certificate(const StoredCertificate& stored, std::vector<Error>& problems) const {
  if (const auto known = certificates_.find(stored.der); known != certificates_.end()) return known->second;
  auto parsed = Certificate::parse(stored.der);
  if (parsed) return *std::move(parsed);
  problems.push_back({parsed.error().code, location_ + ": a certificate is passed over: " + parsed.error().message});
  return nullptr;
}

void WindowsStore::take_key(const Certificate& leaf, const StoredCertificate& stored, StoreContents& contents) const {
  const PublicKey& public_key = leaf.public_key();
  if (!WindowsKey::supported(public_key.type(), *stored.key)) {
    contents.problems.push_back({ErrorCode::kUnsupported, location_ + ": the private key of \"" + leaf.common_name() +
                                                              "\" is passed over: " + key_type_name(public_key.type()) +
                                                              " keys cannot be used there"});
    return;
  }
  for (const auto& known : keys_) {
    if (known->intact() && known->same_as(public_key, *stored.key)) {
      contents.keys.push_back(known);
      return;
    }
  }
  KeyTraits traits;
  traits.label = stored.friendly_name;
  contents.keys.push_back(std::make_shared<const WindowsKey>(location_ + ": \"" + leaf.common_name() + '"', public_key,
                                                             std::move(traits), *stored.key, prompt_));
}

/// Those whose subject is the issuer of one that was taken already: the others are nobody's, and need no parsing.
void WindowsStore::take_issuers(const std::vector<StoredCertificate>& candidates, StoreContents& contents) const {
  std::multimap<std::string_view, const StoredCertificate*> by_subject;
  for (const StoredCertificate& candidate : candidates) by_subject.emplace(as_text(candidate.subject), &candidate);
  std::set<std::string_view> seen;
  std::set<std::string_view> parsed;  // the same root lies in several stores
  // The vector grows while it is gone through.
  for (std::size_t i = 0; i < contents.certificates.size(); ++i) {
    const std::string_view issuer = as_text(contents.certificates[i]->issuer());
    if (!seen.insert(issuer).second) continue;
    const auto [first, last] = by_subject.equal_range(issuer);
    for (auto entry = first; entry != last; ++entry) {
      if (!parsed.insert(as_text(entry->second->der)).second) continue;
      if (auto found = certificate(*entry->second, contents.problems))
        contents.certificates.push_back(std::move(found));
    }
  }
}

Result<StoreContents> WindowsStore::read() {
  const std::lock_guard guard(mutex_);
  const std::uint64_t changes = told_of_changes();  // before it is read: what comes later counts as another version
  auto personal = personal_.read();
  if (!personal) return fail(personal.error().code, location_ + ": " + personal.error().message);
  const std::uint64_t digest = digest_of(*personal);
  IssuerStores::Contents issuers = issuers_->read();

  StoreContents contents;
  std::vector<StoredCertificate> candidates = std::move(issuers.certificates);
  std::set<std::string_view> leaves;
  for (const StoredCertificate& stored : *personal) {
    if (!stored.key || !leaves.insert(as_text(stored.der)).second) continue;
    const auto leaf = certificate(stored, contents.problems);
    if (leaf == nullptr) continue;
    contents.certificates.push_back(leaf);
    take_key(*leaf, stored, contents);
  }
  for (const StoredCertificate& stored : *personal) {
    if (!stored.key) candidates.push_back(stored);
  }
  take_issuers(candidates, contents);

  certificates_.clear();
  for (const CertificatePtr& taken : contents.certificates) certificates_.emplace(to_bytes(taken->der()), taken);
  keys_.clear();
  for (const auto& key : contents.keys) keys_.push_back(std::static_pointer_cast<const WindowsKey>(key));
  digests_ = {digest, issuers.digest};
  looked_at_ = Clock::now();
  contents.version = StoreVersion{{changes, digests_[0], digests_[1]}};
  return contents;
}

class WindowsStores final : public StoreSource {
 public:
  explicit WindowsStores(bool prompt) {
    const auto issuers = std::make_shared<IssuerStores>();
    for (const CertLocation location : {CertLocation::kCurrentUser, CertLocation::kLocalMachine}) {
      stores_.push_back(std::make_shared<WindowsStore>(location, prompt, issuers));
    }
  }
  bool changed() const override { return false; }
  std::vector<std::shared_ptr<Store>> stores() override { return stores_; }
  std::vector<Error> problems() const override { return {}; }
  bool explicitly_configured() const override { return false; }  // a configuration has no more to name

 private:
  std::vector<std::shared_ptr<Store>> stores_;
};

}  // namespace

std::unique_ptr<StoreSource> windows_stores(const StoreConfig& config) {
  return std::make_unique<WindowsStores>(config.prompt);
}

}  // namespace devtrust
