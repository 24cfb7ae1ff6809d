// Keychains: macOS' own there, elsewhere those of a double of Security.framework.
#include <utility>

#include "tests/conformance/store_builders.h"
#include "tests/support/keychain_file.h"

namespace devtrust::testing {
namespace {

namespace fs = std::filesystem;

void configure_keychain(BuiltStore& built, const std::string& text) {
  configure(built, text);
  built.module_path = DEVTRUST_KEYCHAIN_MODULE;
}

/// Gone with the store.
KeychainFile& keep_keychain(BuiltStore& built, const fs::path& path) {
  const auto keychain = std::make_shared<KeychainFile>(path);
  built.kept = std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(built.kept, keychain);
  return *keychain;
}

KeychainFile& new_keychain(BuiltStore& built) {
  KeychainFile& keychain = keep_keychain(built, built.folder / "Keychains/test.keychain-db");
  configure_keychain(built, "[[store]]\nkind = \"keychain\"\npath = \"" + keychain.path().string() + "\"\n");
  return keychain;
}

void build_keychain(BuiltStore& built) {
  new_keychain(built).add(make_leaf(built));
  built.untouched = built.folder / "Keychains";
}

/// A former identity beside the current one, as between two steps of a renewal.
void build_keychain_renewed(BuiltStore& built) {
  KeychainFile& keychain = new_keychain(built);
  Pki& pki = make_pki(built);
  keychain.add(pki.issue({.key = built.store->key,
                          .common_name = "JumpCloud Device Trust Certificate – OLD",
                          .valid_from_days = -20,
                          .valid_to_days = 10}));
  built.leaf = pki.issue({.key = built.store->key, .valid_from_days = -6, .valid_to_days = 24});
  keychain.add(built.leaf);
  built.untouched = built.folder / "Keychains";
}

/// Other people's certificates and keys, an expired identity, certificates without a key, and another keychain's items,
/// which a search may give as well.
void build_keychain_mixed(BuiltStore& built) {
  KeychainFile& keychain = new_keychain(built);
  KeychainFile& other = keep_keychain(built, built.folder / "Keychains/other.keychain-db");
  Pki& pki = make_pki(built);
  other.add(pki.issue(
      {.key = "rsa:2048", .common_name = "JumpCloud Device Trust Certificate – ELSEWHERE", .valid_from_days = -1}));
  keychain.search_also(other);
  keychain.add(pki.issue({.key = "rsa:2048",
                          .common_name = "JumpCloud Device Trust Certificate – EXPIRED",
                          .valid_from_days = -60,
                          .valid_to_days = -30}));
  Pki strangers(built.folder / "strangers", "ec:P-256", "A company's root", "A company's intermediate");
  keychain.add(strangers.issue({.key = "ec:P-256", .common_name = "A person"}));
  keychain.add_certificate(strangers.issue({.key = "ec:P-256", .common_name = "A server"}).certificate);
  keychain.add_certificate(
      pki.issue({.key = "ec:P-256", .common_name = "JumpCloud Device Trust Certificate – KEYLESS"}).certificate);
  built.leaf = pki.issue({.key = built.store->key});
  keychain.add(built.leaf);
  built.untouched = built.folder / "Keychains";
}

/// The agent's keychain, found without a configuration.
void build_keychain_usual(BuiltStore& built) {
  keep_keychain(built, built.folder / "home/Library/Keychains/jumpcloud-device-trust-keychain-db")
      .add(make_leaf(built));
  configure_keychain(built, "");
  built.environment["HOME"] = (built.folder / "home").string();
  built.untouched = built.folder / "home";
}

}  // namespace

std::vector<Store> keychain_stores() {
  return {
      {"keychain_rsa", Owner::kOurs, "rsa:2048", "", build_keychain, false, KeptBy::kKeychain},
      {"keychain_p256", Owner::kOurs, "ec:P-256", "", build_keychain, true, KeptBy::kKeychain},
      {"keychain_p384", Owner::kOurs, "ec:P-384", "", build_keychain, false, KeptBy::kKeychain},
      {"keychain_p521", Owner::kOurs, "ec:P-521", "", build_keychain, false, KeptBy::kKeychain},
      {"keychain_renewed", Owner::kOurs, "rsa:2048", "", build_keychain_renewed, false, KeptBy::kKeychain},
      {"keychain_mixed", Owner::kOurs, "rsa:2048", "", build_keychain_mixed, false, KeptBy::kKeychain},
      {"keychain_usual", Owner::kOurs, "ec:P-256", "", build_keychain_usual, false, KeptBy::kKeychain},
  };
}

}  // namespace devtrust::testing
