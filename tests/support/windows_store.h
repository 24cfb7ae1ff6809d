// Fills this user's Windows certificate stores for a test.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/wincert/key_place.h"
#include "tests/support/pki.h"

namespace devtrust::testing {

/// Adds to MY and CA of the current user and Root of the machine (Windows asks the user before it adds to the user's
/// own), and takes all of it away again at its end, keys included. There is one such store for all processes: tests
/// that use it hold a lock on it (devtrust_lock_windows_stores).
class WindowsStore {
 public:
  /// The first one of a process removes what a process that was killed left behind: identities whose containers have
  /// the names that this class gives.
  WindowsStore();
  ~WindowsStore();
  WindowsStore(const WindowsStore&) = delete;
  WindowsStore& operator=(const WindowsStore&) = delete;

  struct Entry {
    std::string der;
    std::optional<KeyPlace> key;  ///< whether there is one or not
  };
  /// `store`: "MY", "CA" or "Root".
  void add(const std::vector<Entry>& entries, const std::string& store = "MY");
  void add_certificate(const std::filesystem::path& pem, const std::string& store);
  /// The leaf with its RSA key in a new container of Microsoft's CSP, and its issuers.
  KeyPlace add_with_csp_key(const Leaf& leaf);
  /// The same in a provider that knows no SHA-2, as old programs make them (PROV_RSA_FULL).
  KeyPlace add_with_old_csp_key(const Leaf& leaf);
  /// The leaf with its key, RSA or EC, in CNG's software provider, and its issuers.
  KeyPlace add_with_cng_key(const Leaf& leaf);
  /// The certificate goes; the key stays until the end.
  void remove(const Leaf& leaf);

  /// The same key as PEM has it, put into a new container of its own.
  KeyPlace import_csp_key(const std::filesystem::path& key, bool old_provider = false);
  /// The same in CNG's software provider; in `container`, if it is given, instead of the key there. EC keys are made
  /// for ECDSA.
  KeyPlace import_cng_key(const std::filesystem::path& key, const std::string& container = {});
  /// Deletes a key before the end.
  void delete_key(const KeyPlace& place);

 private:
  KeyPlace add_leaf(const Leaf& leaf, KeyPlace place);
  std::string new_container();
  void delete_keys();
  struct Added {
    std::string store, der;
  };
  std::vector<Added> added_;
  std::vector<KeyPlace> keys_;
  int next_ = 0;  // container
};

/// What stands between a PEM file's first BEGIN and END.
std::string pem_der(const std::filesystem::path& pem);

}  // namespace devtrust::testing
