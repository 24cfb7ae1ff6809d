#include "backends/keychain/keychain_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "backends/configured_store.h"
#include "backends/keychain/interaction.h"
#include "backends/keychain/keychain_error.h"
#include "backends/keychain/keychain_key.h"
#include "backends/keychain/keychain_place.h"
#include "identity/certificate_text.h"
#include "identity/process.h"

namespace devtrust {
namespace {

using Clock = std::chrono::steady_clock;
using security::ItemClass;

// A file system may give a second change the time of the first: so soon after one, what was read may already be old.
constexpr auto kTimeResolution = std::chrono::milliseconds(20);
// What no file tells has to be asked for: so often.
constexpr auto kLookAgainAfter = std::chrono::seconds(1);

/// Of agents that make one of their own; JumpCloud's first.
constexpr std::array kAgentsKeychains{"jumpcloud-device-trust-keychain", "duo-auth.keychain"};
/// Where the search lists are written down, in the user's folder and in the system's.
constexpr const char* kSearchList = "/Library/Preferences/com.apple.security.plist";

using FileTime = std::filesystem::file_time_type;

/// What tells that a file changed: zeros where none is there.
struct FileMark {
  std::array<std::uint64_t, 4> words{};
  FileTime modified = FileTime::min();
};

FileMark mark(const std::string& path) {
  FileMark mark;
  std::error_code error;
  const FileTime modified = std::filesystem::last_write_time(path, error);  // by which systems' structures differ
  struct stat status {};
  if (error || stat(path.c_str(), &status) != 0) return mark;
  mark.modified = modified;
  mark.words = {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
                static_cast<std::uint64_t>(status.st_size),
                static_cast<std::uint64_t>(modified.time_since_epoch().count())};
  return mark;
}

class KeychainStore final : public Store {
 public:
  /// `of_agent`: whether it is there for device-trust identities and nothing else.
  KeychainStore(KeychainPlace place, bool prompt, bool of_agent)
      : place_(std::make_shared<const KeychainPlace>(std::move(place))), prompt_(prompt), of_agent_(of_agent) {}

  std::string_view kind() const override { return "keychain"; }
  const std::string& location() const override { return place_->name(); }
  StoreVersion version() const override;
  Result<StoreContents> read() override;
  const KeychainPlace& place() const { return *place_; }

 private:
  struct Files {
    std::array<std::uint64_t, 8> words{};
    FileTime newest = FileTime::min();
  };
  Files files() const;
  /// What is asked for at most once in kLookAgainAfter: whether a locked keychain still is; the other one's contents.
  std::uint64_t looked_at() const;
  Error about(const security::Failure& failure) const;
  Result<bool> is_unlocked() const;
  CertificatePtr certificate(const Bytes& der, StoreContents& contents);
  void take(KeychainPlace::Item item, const CertificatePtr& leaf, StoreContents& contents) const;
  void complain(bool unlocked, StoreContents& contents) const;

  const std::shared_ptr<const KeychainPlace> place_;
  const bool prompt_, of_agent_;
  mutable std::mutex mutex_;  // guards what follows: version() may be asked by one thread while another reads
  mutable std::uint64_t look_ = 0;
  mutable std::optional<Clock::time_point> look_again_at_;
  mutable bool closed_to_us_ = false;  // a program never comes to have an entitlement
  bool was_locked_ = false;            // when it was last read
  // What the last read parsed and fetched: what did not change is taken over.
  std::map<Bytes, CertificatePtr> certificates_;
  std::vector<std::shared_ptr<const KeychainKey>> keys_;
};

KeychainStore::Files KeychainStore::files() const {
  Files files;
  if (!place_->is_file()) return files;
  std::size_t word = 0;
  for (const std::string& path : place_->paths()) {
    const FileMark found = mark(path);
    for (const std::uint64_t value : found.words) files.words.at(word++) = value;
    files.newest = std::max(files.newest, found.modified);
  }
  return files;
}

std::uint64_t KeychainStore::looked_at() const {
  if ((place_->is_file() && !was_locked_) || closed_to_us_) return 0;
  const auto now = Clock::now();
  if (look_again_at_ && now < *look_again_at_) return look_;
  look_again_at_ = now + kLookAgainAfter;
  const Silence silence;
  look_ = 0;
  if (place_->is_file()) {
    look_ = is_unlocked().value_or(false) ? 1 : 0;
  } else if (const auto identities = place_->items(ItemClass::kIdentity, true)) {
    for (const auto& identity : *identities) {
      look_ = look_ * 31 + std::hash<std::string_view>()(as_text(identity.der)) + 1;
    }
  } else {
    closed_to_us_ = no_entitlement(identities.error());
  }
  return look_;
}

StoreVersion KeychainStore::version() const {
  if (!keychains_usable()) return {};
  StoreVersion version;
  std::ranges::copy(files().words, version.words.begin());
  const std::lock_guard guard(mutex_);
  version.words[8] = looked_at();
  version.words[9] = 1;  // unlike that of a child, which cannot look
  return version;
}

Error KeychainStore::about(const security::Failure& failure) const {
  const Error error = keychain_error(failure);
  return {error.code, location() + ": " + error.message};
}

/// kNotFound, kAccessDenied, or what macOS says.
Result<bool> KeychainStore::is_unlocked() const {
  const auto path = place_->path();
  if (!path) return fail(ErrorCode::kAccessDenied, location() + " cannot be looked at: " + path.error().text);
  if (path->empty()) return fail(ErrorCode::kNotFound, location() + " is not there");
  const auto state = place_->state();
  if (!state) return tl::unexpected(about(state.error()));
  if (!state->readable) {
    return fail(ErrorCode::kAccessDenied, location() + " cannot be read by this user: see whose file it is");
  }
  return state->unlocked;
}

CertificatePtr KeychainStore::certificate(const Bytes& der, StoreContents& contents) {
  if (const auto known = certificates_.find(der); known != certificates_.end()) return known->second;
  auto parsed = Certificate::parse(der);
  if (parsed) return certificates_.emplace(der, *std::move(parsed)).first->second;
  contents.problems.push_back(
      {parsed.error().code, location() + ": a certificate is passed over: " + parsed.error().message});
  return nullptr;
}

void KeychainStore::take(KeychainPlace::Item item, const CertificatePtr& leaf, StoreContents& contents) const {
  const PublicKey& public_key = leaf->public_key();
  if (!KeychainKey::supported(public_key.type())) {
    contents.problems.push_back({ErrorCode::kUnsupported, location() + ": the private key of \"" + leaf->common_name() +
                                                              "\" is passed over: " + key_type_name(public_key.type()) +
                                                              " keys cannot be used there"});
    return;
  }
  for (const auto& known : keys_) {
    if (known->intact() && known->belongs_to(item.der)) {
      contents.keys.push_back(known);
      return;
    }
  }
  contents.keys.push_back(std::make_shared<const KeychainKey>(location() + ": \"" + leaf->common_name() + '"',
                                                              public_key, place_, std::move(item), prompt_));
}

/// What a person should know although it was read.
void KeychainStore::complain(bool unlocked, StoreContents& contents) const {
  if (contents.keys.empty()) return;
  if (!unlocked) {
    contents.problems.push_back(
        {ErrorCode::kAccessDenied, location() +
                                       " is locked, so that its private keys cannot be used: run security "
                                       "unlock-keychain " +
                                       place_->path().value_or(location())});
  }
  if (!of_agent_) return;
  std::optional<Time> last;
  for (const CertificatePtr& candidate : contents.certificates) {
    const bool has_key = std::ranges::any_of(
        contents.keys, [&](const auto& key) { return key->public_key() == candidate->public_key(); });
    if (has_key && (!last || candidate->not_after() > *last)) last = candidate->not_after();
  }
  if (!last || *last >= std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())) return;
  contents.problems.push_back(
      {ErrorCode::kExpired,
       location() + " holds nothing that is valid since " + date_text(*last) +
           ": see that the agent runs and renews it; if the agent was removed, delete what it left with security "
           "delete-keychain"});
}

Result<StoreContents> KeychainStore::read() {
  if (const auto usable = keychains_usable(); !usable) return fail(usable);
  const std::lock_guard guard(mutex_);
  const Files before = files();
  const Silence silence;
  bool unlocked = true;
  was_locked_ = false;
  if (place_->is_file()) {
    const auto state = is_unlocked();
    if (!state) return fail(state);
    unlocked = *state;
  } else if (closed_to_us_) {
    return fail(ErrorCode::kNotFound, location() + " is closed to this program");
  }
  auto identities = place_->items(ItemClass::kIdentity, true);
  if (!identities && no_entitlement(identities.error())) {
    closed_to_us_ = true;
    return fail(ErrorCode::kNotFound, location() + " is closed to this program");
  }
  if (!identities) return tl::unexpected(about(identities.error()));
  const auto others = place_->items(ItemClass::kCertificate, true);
  if (!others) return tl::unexpected(about(others.error()));

  StoreContents contents;
  std::set<Bytes> taken;
  for (KeychainPlace::Item& identity : *identities) {
    if (!taken.insert(identity.der).second) continue;
    const auto leaf = certificate(identity.der, contents);
    if (leaf == nullptr) continue;
    contents.certificates.push_back(leaf);
    take(std::move(identity), leaf, contents);
  }
  for (const KeychainPlace::Item& other : *others) {
    if (!taken.insert(other.der).second) continue;
    if (auto parsed = certificate(other.der, contents)) contents.certificates.push_back(std::move(parsed));
  }
  complain(unlocked, contents);

  std::erase_if(certificates_, [&](const auto& entry) { return !taken.contains(entry.first); });
  keys_.clear();
  for (const auto& key : contents.keys) keys_.push_back(std::static_pointer_cast<const KeychainKey>(key));

  was_locked_ = !unlocked;
  look_again_at_.reset();
  const Files after = files();
  const FileTime now = FileTime::clock::now();
  const bool settled = after.newest < now - kTimeResolution || after.newest > now;
  if (before.words == after.words && settled) {
    StoreVersion version;
    std::ranges::copy(after.words, version.words.begin());
    version.words[8] = looked_at();
    version.words[9] = 1;
    contents.version = version;
  }
  return contents;
}

class UsualKeychains final : public StoreSource {
 public:
  explicit UsualKeychains(bool prompt) : prompt_(prompt), home_(home_directory()) {}

  bool changed() const override { return lists() != listed_; }

  std::vector<std::shared_ptr<Store>> stores() override {
    problems_.clear();
    listed_ = lists();
    std::vector<std::shared_ptr<KeychainStore>> stores;
    if (!home_.empty()) {
      for (const char* name : kAgentsKeychains) add(home_ + "/Library/Keychains/" + name, true, stores);
    }
    if (keychains_usable()) {
      const Silence silence;
      add_all(security::user_keychains(), "the user's list of keychains", stores);
      add_all(security::system_keychains(), "the system's list of keychains", stores);
    }
    add("", false, stores);
    stores_ = std::move(stores);
    return {stores_.begin(), stores_.end()};
  }

  std::vector<Error> problems() const override { return problems_; }
  bool explicitly_configured() const override { return false; }

 private:
  using Stores = std::vector<std::shared_ptr<KeychainStore>>;
  std::array<std::array<std::uint64_t, 4>, 2> lists() const {
    return {mark(home_ + kSearchList).words, mark(kSearchList).words};
  }
  void add_all(const security::Outcome<std::vector<security::Object>>& keychains, const std::string& list,
               Stores& stores) {
    if (!keychains) {
      const Error error = keychain_error(keychains.error());
      problems_.push_back({error.code, list + " cannot be read: " + error.message});
      return;
    }
    for (const security::Object& keychain : *keychains) {
      if (const auto path = security::path_of(keychain)) add(*path, false, stores);
    }
  }
  /// What was there before keeps its object.
  void add(const std::string& path, bool of_agent, Stores& stores) const {
    KeychainPlace place(path);
    const auto is_there = [&place](const auto& store) { return store->place() == place; };
    if (std::ranges::any_of(stores, is_there)) return;
    const auto known = std::ranges::find_if(stores_, is_there);
    stores.push_back(known != stores_.end() ? *known
                                            : std::make_shared<KeychainStore>(std::move(place), prompt_, of_agent));
  }

  const bool prompt_;
  const std::string home_;
  std::array<std::array<std::uint64_t, 4>, 2> listed_{};
  Stores stores_;
  std::vector<Error> problems_;
};

}  // namespace

std::unique_ptr<StoreSource> keychain_usual_places(const StoreConfig& config) {
  return std::make_unique<UsualKeychains>(config.prompt);
}

std::unique_ptr<StoreSource> keychain_at(const StoreConfig& config) {
  return std::make_unique<ConfiguredStore>(
      std::make_shared<KeychainStore>(KeychainPlace(expand_home(config.path)), config.prompt, true));
}

}  // namespace devtrust
