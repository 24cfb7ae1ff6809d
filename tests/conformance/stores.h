// The stores that the suite is run over: ours in every form that a backend reads, and other people's tokens as judges.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/pki.h"

namespace devtrust::testing {

enum class Owner {
  kOurs,
  kSoftHsm,  ///< judges the suite: what it does not pass is a suspect
  kSoftokn,  ///< NSS's own token, over the same kind of database as ours
};

/// Who does what our key does.
enum class KeptBy { kSoftware, kCsp, kCng, kSoftHsm, kSoftokn, kKeychain };

struct BuiltStore;

struct Store {
  std::string name;  ///< in the tests' names: letters, digits and underscores
  Owner owner = Owner::kOurs;
  std::string key;       ///< of the current identity, as LeafOptions has it
  std::string password;  ///< that C_Login asks for; empty: none is needed
  std::function<void(BuiltStore&)> build;
  bool sturdy = false;  ///< whether Sturdy's tests, which take long, run over it
  KeptBy place = KeptBy::kSoftware;

  bool rsa() const { return key.starts_with("rsa:"); }
  bool ec() const { return key.starts_with("ec:"); }
  bool edwards() const { return key.starts_with("ed"); }
  bool ours() const { return owner == Owner::kOurs; }
  /// Softokn judges what objects and signatures are, not the rules: it writes the beginning of a digest into a buffer
  /// that is too small for it, and more of that kind.
  bool strict() const { return owner != Owner::kSoftokn; }
};
/// For gtest's messages.
void PrintTo(const Store* store, std::ostream* out);

/// A store that stands where our module looks.
struct BuiltStore {
  const Store* store = nullptr;
  TempDir folder;
  std::unique_ptr<Pki> pki;
  Leaf leaf;  ///< the current identity's
  std::string module_path;
  std::string token_label;
  std::string init_string;                         ///< for pReserved; empty: NULL
  std::map<std::string, std::string> environment;  ///< to be set before C_Initialize
  std::shared_ptr<void> kept;                      ///< goes with the store
  std::filesystem::path untouched;                 ///< file or folder; at the process's end it must be what it was
};

/// All files of a folder with their contents, by path; or the one file.
std::map<std::string, std::string> file_contents(const std::filesystem::path& path);

const std::vector<const Store*>& all_stores();
std::vector<const Store*> strict_stores();
std::vector<const Store*> stores_that(const std::function<bool(const Store&)>& wanted);
const Store& store_named(const std::string& name);
/// Built when it is first asked for, once in a process; gone when the process ends.
BuiltStore& built(const Store& store);

/// A configuration file of ours with these lines; its path.
std::filesystem::path write_config(const std::filesystem::path& folder, const std::string& text);
std::string nss_store(const std::filesystem::path& path, const std::string& more = {});
std::string file_store(const std::filesystem::path& path, const std::string& more = {});

}  // namespace devtrust::testing
