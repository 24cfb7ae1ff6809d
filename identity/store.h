// What a backend implements: one kind of place where an operating system keeps keys and certificates.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/certificate.h"
#include "identity/private_key.h"
#include "identity/result.h"

namespace devtrust {

/// The password gate of one store; it outlives snapshots, so that a login survives a renewal. Thread-safe.
class Login {
 public:
  virtual ~Login() = default;
  /// kWrongPassword; kLoginRequired where the store cannot check one now. Never stores the password itself longer than
  /// needed.
  virtual Result<void> unlock(std::string_view password) = 0;
  /// Forgets the password and every key made with it.
  virtual void lock() = 0;
  virtual bool unlocked() const = 0;
};

/// Differs when the content may have changed. Compared, never interpreted.
struct StoreVersion {
  std::array<std::uint64_t, 12> words{};
  friend bool operator==(const StoreVersion&, const StoreVersion&) = default;
};

/// What a store held at one moment.
struct StoreContents {
  std::vector<CertificatePtr>
      certificates;  ///< leaves with a key and whatever may be their issuers; order means nothing
  std::vector<std::shared_ptr<const PrivateKey>> keys;
  std::shared_ptr<Login> login;  ///< null where the keys can be used without a password (or the configuration gives it)
  std::vector<Error> problems;   ///< what was passed over, a sentence each
  /// The version this is; nothing where it may have changed during the read or too shortly before to tell: read again.
  std::optional<StoreVersion> version;
};

/// One place. Reading never prompts and never writes. Thread-safe: the catalog calls from any thread, one read at a
/// time.
class Store {
 public:
  virtual ~Store() = default;
  /// "nss", "file", …: the configuration's word.
  virtual std::string_view kind() const = 0;
  /// For people: the folder or file.
  virtual const std::string& location() const = 0;
  /// Cheap: a stat or two, no allocation.
  virtual StoreVersion version() const = 0;
  /// kNotFound where the place is empty (not a problem by itself for a usual place).
  virtual Result<StoreContents> read() = 0;
};

/// Finds stores: fixed ones, or the usual places of a platform. Same rules as Store.
class StoreSource {
 public:
  virtual ~StoreSource() = default;
  /// Whether a place where the set of stores is written down changed since `stores` was last asked. Cheap.
  virtual bool changed() const = 0;
  /// The stores that are or may come to be there, in order of preference. A store that stays keeps its object.
  virtual std::vector<std::shared_ptr<Store>> stores() = 0;
  /// What is wrong with the place itself (a profiles.ini that cannot be read), a sentence each.
  virtual std::vector<Error> problems() const = 0;
  /// True where the configuration names the place: a missing one is then a problem to report.
  virtual bool explicitly_configured() const = 0;
};

}  // namespace devtrust
