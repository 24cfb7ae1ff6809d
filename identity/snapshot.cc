#include "identity/snapshot.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "identity/certificate_text.h"

namespace devtrust {
namespace {

bool newer(const IdentityPtr& a, const IdentityPtr& b) { return a->leaf->not_before() > b->leaf->not_before(); }

std::string nowhere_text(const std::vector<StoreReport>& reports) {
  std::string text;
  std::size_t named = 0;
  for (const StoreReport& report : reports) {
    for (const Error& problem : report.problems) {
      if (++named > 3) return text + ", and more";
      text += (text.empty() ? ": " : "; ") + problem.message;
    }
  }
  return text;
}

}  // namespace

std::optional<Error> obstacle(const Identity& identity, Time now) {
  const Certificate& leaf = *identity.leaf;
  const std::string which = '"' + name_of(leaf) + "\" in " + identity.location;
  if (!identity.key->intact()) {
    return Error{
        ErrorCode::kKeyMismatch,
        "the private key of " + which + " is damaged or not its certificate's: let the agent enrol the device again"};
  }
  if (now > leaf.not_after()) {
    return Error{ErrorCode::kExpired, which + " expired " + span_text(now - leaf.not_after()) + " ago (" +
                                          date_text(leaf.not_after()) + "): see that the agent runs and renews it"};
  }
  if (now < leaf.not_before()) {
    return Error{ErrorCode::kExpired,
                 which + " is not valid before " + date_text(leaf.not_before()) + ": check this computer's clock"};
  }
  if (identity.chain.contradicted) {
    return Error{ErrorCode::kCorrupt,
                 "the issuer of " + which + " did not sign it: the store holds a look-alike or is damaged"};
  }
  return std::nullopt;
}

bool operator==(const Identity& a, const Identity& b) {
  return a.location == b.location && a.leaf->sha256() == b.leaf->sha256();
}

std::shared_ptr<const Snapshot> Snapshot::build(const std::vector<Profile>& profiles,
                                                const std::vector<Source>& sources, Time now) {
  const auto snapshot = std::make_shared<Snapshot>();
  std::vector<CertificatePtr> all;  // issuers may lie in another store than the leaf
  std::set<std::array<std::uint8_t, 32>> seen;
  for (const Source& source : sources) {
    snapshot->reports_.push_back(source.report);
    snapshot->reports_.back().found = source.contents != nullptr;
    if (!source.contents) continue;
    for (const CertificatePtr& certificate : source.contents->certificates) {
      if (seen.insert(certificate->sha256()).second) all.push_back(certificate);
    }
  }

  std::vector<std::vector<IdentityPtr>> found(profiles.size());
  for (const Source& source : sources) {
    if (!source.contents) continue;
    std::multimap<std::array<std::uint8_t, 20>, std::shared_ptr<const PrivateKey>> keys;
    for (const auto& key : source.contents->keys) keys.emplace(key->public_key().id(), key);
    for (const CertificatePtr& leaf : source.contents->certificates) {
      const auto [first, last] = keys.equal_range(leaf->public_key().id());
      const auto key = std::find_if(
          first, last, [&leaf](const auto& entry) { return entry.second->public_key() == leaf->public_key(); });
      if (key == last) continue;
      std::optional<Chain> chain;
      for (std::size_t i = 0; i < profiles.size(); ++i) {
        if (!leaf_matches(profiles[i], *leaf)) continue;
        if (!chain) chain = build_chain(*leaf, all, now);
        if (!profile_matches(profiles[i], *leaf, *chain)) continue;
        found[i].push_back(
            std::make_shared<Identity>(Identity{profiles[i].name, leaf, key->second, *std::move(chain),
                                                source.report.kind, source.report.location, source.contents->login}));
        break;
      }
    }
  }

  for (std::size_t i = 0; i < profiles.size(); ++i) {
    if (profiles[i].built_in && found[i].empty()) continue;
    std::ranges::stable_sort(found[i], newer);
    snapshot->report_rival_roots(profiles[i], found[i]);
    snapshot->profiles_.push_back(profiles[i]);
    snapshot->identities_.push_back(std::move(found[i]));
  }
  return snapshot;
}

void Snapshot::report_rival_roots(const Profile& profile, const std::vector<IdentityPtr>& identities) {
  std::map<std::string, CertificatePtr> roots;  // by Name
  std::set<std::string> reported;
  for (const IdentityPtr& identity : identities) {
    if (!identity->chain.complete || identity->chain.issuers.empty()) continue;
    const CertificatePtr& root = identity->chain.issuers.back();
    const auto [known, fresh] = roots.emplace(as_text(root->subject()), root);
    if (fresh || known->second->public_key() == root->public_key() || !reported.insert(known->first).second) continue;
    problems_.push_back({ErrorCode::kCorrupt, "profile " + profile.name + ": two different roots are named \"" +
                                                  name_of(*root) + "\" (SHA-256 " + to_hex(known->second->sha256()) +
                                                  " and " + to_hex(root->sha256()) +
                                                  "): pin the right one with root_sha256 in the profile's match"});
  }
}

const Profile* Snapshot::find_profile(std::string_view name) const {
  const auto found = std::ranges::find(profiles_, name, &Profile::name);
  return found != profiles_.end() ? &*found : nullptr;
}

const std::vector<IdentityPtr>& Snapshot::identities(std::string_view profile) const {
  static const std::vector<IdentityPtr> kNone;
  const Profile* found = find_profile(profile);
  return found != nullptr ? identities_[static_cast<std::size_t>(found - profiles_.data())] : kNone;
}

Result<IdentityPtr> Snapshot::current(std::string_view profile, Time now) const {
  std::optional<Error> reason;
  for (const IdentityPtr& identity : identities(profile)) {
    auto error = obstacle(*identity, now);
    if (!error) return identity;
    if (!reason) reason = std::move(error);  // the newest one's says most
  }
  if (reason)
    return fail(reason->code, "no valid certificate for profile " + std::string(profile) + ": " + reason->message);
  return fail(ErrorCode::kNotFound, "no certificate with a private key was found for profile " + std::string(profile) +
                                        nowhere_text(reports_));
}

std::vector<IdentityPtr> Snapshot::shown(std::string_view profile, Time now) const {
  std::vector<IdentityPtr> list;
  const Profile* found = find_profile(profile);
  if (found == nullptr) return list;
  if (auto first = current(profile, now)) list.push_back(*std::move(first));
  if (found->show == Show::kCurrent) return list;
  for (const IdentityPtr& identity : identities(profile)) {
    if (found->show == Show::kValid && obstacle(*identity, now)) continue;
    const auto same_leaf = [&identity](const IdentityPtr& other) {
      return other->leaf->sha256() == identity->leaf->sha256();
    };
    if (std::ranges::none_of(list, same_leaf)) list.push_back(identity);
  }
  return list;
}

}  // namespace devtrust
