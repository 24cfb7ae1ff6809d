// All that the stores held at one moment, as identities.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "identity/certificate.h"
#include "identity/private_key.h"
#include "identity/profile.h"
#include "identity/store.h"

namespace devtrust {

/// A leaf, its private key and its chain, recognised by a profile. Immutable but for the state of its key.
struct Identity {
  std::string profile;  ///< the profile's name
  CertificatePtr leaf;
  std::shared_ptr<const PrivateKey> key;
  Chain chain;
  std::string store_kind, location;
  std::shared_ptr<Login> login;  ///< null where no password stands before the key

  friend bool operator==(const Identity& a, const Identity& b);  ///< the same leaf in the same store
};
using IdentityPtr = std::shared_ptr<const Identity>;

/// Why this identity is not one to use at `now`; nothing where it is.
std::optional<Error> obstacle(const Identity& identity, Time now);

/// What became of one store when it was read.
struct StoreReport {
  std::string kind, location;
  bool explicitly_configured = false;
  std::vector<Error> problems;  ///< empty: read without complaint, or not found in a usual place
  bool found = false;           ///< whether anything that can be read is at the location
};

/// Immutable. Thread-safe.
class Snapshot {
 public:
  /// One store's contents among those that `build` takes; `contents` null where the store was never read.
  struct Source {
    StoreReport report;
    std::shared_ptr<const StoreContents> contents;
  };
  /// Pairs certificates with keys by public key, matches profiles (the first that fits takes the identity), builds
  /// chains.
  static std::shared_ptr<const Snapshot> build(const std::vector<Profile>& profiles, const std::vector<Source>& sources,
                                               Time now);

  /// Profiles to show: those of the configuration, and built-in ones of which an identity was found; in the profiles'
  /// order.
  const std::vector<Profile>& profiles() const { return profiles_; }
  const Profile* find_profile(std::string_view name) const;
  /// All of a profile's identities, whatever their state, the best first: newest notBefore, then by store order.
  const std::vector<IdentityPtr>& identities(std::string_view profile) const;
  const std::vector<StoreReport>& reports() const { return reports_; }
  /// What concerns several stores: two roots under one name.
  const std::vector<Error>& problems() const { return problems_; }

  /// The one to use at `now`: valid, key intact, chain's signatures good, newest notBefore. Otherwise why there is none
  /// (kNotFound, kExpired, kKeyMismatch, kCorrupt), naming the profile and the store.
  Result<IdentityPtr> current(std::string_view profile, Time now) const;
  /// What the profile's `show` lets a token show: the current one first, then the others.
  std::vector<IdentityPtr> shown(std::string_view profile, Time now) const;

 private:
  void report_rival_roots(const Profile& profile, const std::vector<IdentityPtr>& identities);

  std::vector<Profile> profiles_;
  std::vector<std::vector<IdentityPtr>> identities_;  // parallel to profiles_
  std::vector<StoreReport> reports_;
  std::vector<Error> problems_;
};

}  // namespace devtrust
