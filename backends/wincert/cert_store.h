// Windows' certificate stores, opened for reading only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/wincert/key_place.h"
#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust {

/// Whose stores: this user's or the machine's.
enum class CertLocation : std::uint8_t { kCurrentUser, kLocalMachine };

/// A certificate as it lies there, parsed no further than Windows did.
struct StoredCertificate {
  Bytes der, subject, issuer;  ///< the names are DER
  std::optional<KeyPlace> key;
  std::string friendly_name;
};

/// "MY", "CA" or "Root". Not thread-safe.
class CertStore {
 public:
  CertStore(CertLocation location, const wchar_t* name);
  ~CertStore();
  CertStore(const CertStore&) = delete;
  CertStore& operator=(const CertStore&) = delete;

  /// Whether Windows said since the last call that the store changed. Where nothing can be heard, false.
  bool told_of_change();
  /// kNotFound where there is no such store.
  Result<std::vector<StoredCertificate>> read() const;
  /// Of all that `read` gives, without copying it; 0 where it cannot be read.
  std::uint64_t digest() const;

 private:
  class Watch;
  const CertLocation location_;
  const wchar_t* const name_;
  std::unique_ptr<Watch> watch_;
};

/// As CertStore::digest has it.
std::uint64_t digest_of(const std::vector<StoredCertificate>& certificates);

}  // namespace devtrust
