#include "backends/token/token_store.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>

#include "backends/configured_store.h"
#include "backends/token/token_key.h"

namespace devtrust {
namespace {

using Clock = std::chrono::steady_clock;

// Modules do not tell of changes to objects, so they are looked at this often, or more seldom where that takes long.
constexpr auto kLookAgainAfter = std::chrono::seconds(1);
constexpr int kShareOfTime = 50;

class TokenStore final : public Store {
 public:
  explicit TokenStore(const StoreConfig& config)
      : token_(std::make_shared<Token>(config)), has_pin_(!config.pin_source.empty()) {}

  std::string_view kind() const override { return "token"; }
  const std::string& location() const override { return token_->name(); }
  StoreVersion version() const override;
  Result<StoreContents> read() override;

 private:
  struct Contents {
    TokenListing listing;
    TokenState state;
  };
  /// Lists the token, and remembers when and what.
  Result<Contents> look() const;
  CertificatePtr certificate(const TokenCertificate& stored, std::vector<Error>& problems) const;
  std::shared_ptr<const TokenKey> key(const PublicKey& public_key, const TokenPrivateKey& object,
                                      const TokenMechanisms& mechanisms) const;

  const std::shared_ptr<Token> token_;
  const bool has_pin_;
  mutable std::mutex mutex_;  // guards what follows: version() may be asked by one thread while another reads
  mutable std::uint64_t digest_ = 0, events_ = 0;
  mutable Clock::time_point look_again_at_{};
  // What the last read gave: what did not change is taken over.
  std::map<Bytes, CertificatePtr> certificates_;
  std::vector<std::shared_ptr<const TokenKey>> keys_;
};

Result<TokenStore::Contents> TokenStore::look() const {
  const auto began = Clock::now();
  TokenState state;
  if (auto found = token_->state()) state = *std::move(found);
  auto listing = token_->in_session<TokenListing>([](TokenSession& session) { return list_token(session); });
  const auto now = Clock::now();
  look_again_at_ = now + std::max<Clock::duration>(kLookAgainAfter, kShareOfTime * (now - began));
  digest_ = listing ? listing->digest : std::hash<std::string>()(listing.error().message);
  if (!listing) return fail(listing);
  return Contents{*std::move(listing), std::move(state)};
}

StoreVersion TokenStore::version() const {
  const std::lock_guard guard(mutex_);
  const bool told = token_->told_of_change();
  events_ += told ? 1 : 0;
  if (told || Clock::now() >= look_again_at_) static_cast<void>(look());
  return {{digest_, events_, token_->epoch()}};
}

CertificatePtr TokenStore::certificate(const TokenCertificate& stored, std::vector<Error>& problems) const {
  if (const auto known = certificates_.find(stored.der); known != certificates_.end()) return known->second;
  auto parsed = Certificate::parse(stored.der);
  if (parsed) return *std::move(parsed);
  problems.push_back({parsed.error().code, location() + ": a certificate is passed over: " + parsed.error().message});
  return nullptr;
}

std::shared_ptr<const TokenKey> TokenStore::key(const PublicKey& public_key, const TokenPrivateKey& object,
                                                const TokenMechanisms& mechanisms) const {
  for (const auto& known : keys_) {
    if (known->intact() && known->same_as(public_key, object, mechanisms)) return known;
  }
  return std::make_shared<const TokenKey>(token_, public_key, object, mechanisms);
}

Result<StoreContents> TokenStore::read() {
  const std::lock_guard guard(mutex_);
  StoreContents contents;
  if (has_pin_) {
    auto in = token_->in_session<void>([this](TokenSession& session) { return token_->ensure_login(session); });
    if (!in && in.error().code != ErrorCode::kNotFound) contents.problems.push_back(in.error());
  }
  auto seen = look();
  if (!seen) return fail(seen);
  const TokenListing& listing = seen->listing;
  std::vector<std::pair<const TokenCertificate*, CertificatePtr>> parsed;
  for (const TokenCertificate& stored : listing.certificates) {
    auto found = certificate(stored, contents.problems);
    if (found == nullptr) continue;
    contents.certificates.push_back(found);
    parsed.emplace_back(&stored, std::move(found));
  }

  std::vector<std::shared_ptr<const TokenKey>> keys;
  const auto taken = [&keys](const PublicKey& public_key) {
    return std::ranges::any_of(keys, [&](const auto& known) { return known->public_key() == public_key; });
  };
  for (const TokenPrivateKey& object : listing.private_keys) {
    if (!object.type && !object.public_key) continue;
    auto public_key = object.public_key;
    for (const TokenPublicKey& half : listing.public_keys) {
      if (!public_key && !object.id.empty() && half.id == object.id && half.key && half.key->type() == object.type) {
        public_key = half.key;
      }
    }
    for (const auto& [stored, leaf] : parsed) {
      const bool its = public_key ? *public_key == leaf->public_key()
                                  : !object.id.empty() && stored->id == object.id && !leaf->is_ca() &&
                                        leaf->public_key().type() == object.type;
      if (its && !taken(leaf->public_key())) {
        keys.push_back(key(leaf->public_key(), object, seen->state.mechanisms));
      }
    }
  }
  // Before the login a token does not show its private keys: a public half, or else the certificate's CKA_ID, says that
  // there is one.
  if ((seen->state.flags & CKF_LOGIN_REQUIRED) != 0 && !token_->unlocked()) {
    for (const auto& [stored, leaf] : parsed) {
      if (leaf->is_ca() || stored->id.empty() || taken(leaf->public_key())) continue;
      const bool likely = listing.public_keys.empty() ||
                          std::ranges::any_of(listing.public_keys, [&, &of = leaf](const TokenPublicKey& half) {
                            return half.key && *half.key == of->public_key();
                          });
      if (!likely) continue;
      TokenPrivateKey unseen;
      unseen.id = stored->id;
      unseen.type = leaf->public_key().type();
      keys.push_back(key(leaf->public_key(), unseen, seen->state.mechanisms));
    }
  }
  if (token_->asks_for_password(seen->state.flags)) contents.login = token_;

  certificates_.clear();
  for (const auto& [stored, leaf] : parsed) certificates_.emplace(stored->der, leaf);
  keys_ = keys;
  contents.keys.assign(keys.begin(), keys.end());
  contents.version = StoreVersion{{digest_, events_, token_->epoch()}};
  return contents;
}

}  // namespace

std::unique_ptr<StoreSource> token_store_at(const StoreConfig& config) {
  return std::make_unique<ConfiguredStore>(std::make_shared<TokenStore>(config));
}

}  // namespace devtrust
