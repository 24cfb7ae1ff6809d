// This user's Windows stores. There is one MY for all processes: ctest has a lock for it.
#include "tests/conformance/host.h"
#include "tests/conformance/store_builders.h"
#include "tests/support/windows_store.h"

namespace devtrust::testing {
namespace {

constexpr const char* kStores = "[[store]]\nkind = \"windows\"\n";

WindowsStore& windows_store(BuiltStore& built) {
  auto store = std::make_shared<WindowsStore>();
  built.kept = store;
  configure(built, kStores);
  return *store;
}

void build_csp(BuiltStore& built) { windows_store(built).add_with_csp_key(make_leaf(built)); }

void build_old_csp(BuiltStore& built) { windows_store(built).add_with_old_csp_key(make_leaf(built)); }

/// A former identity beside the current one, as between two steps of a renewal.
void build_renewed(BuiltStore& built) {
  WindowsStore& store = windows_store(built);
  Pki& pki = make_pki(built);
  store.add_with_csp_key(pki.issue({.key = built.store->key,
                                    .common_name = "JumpCloud Device Trust Certificate – OLD",
                                    .valid_from_days = -20,
                                    .valid_to_days = 10}));
  built.leaf = pki.issue({.key = built.store->key, .valid_from_days = -6, .valid_to_days = 24});
  store.add_with_csp_key(built.leaf);
}

/// Other people's certificates and keys, an expired identity, and certificates without a key.
void build_mixed(BuiltStore& built) {
  WindowsStore& store = windows_store(built);
  Pki& pki = make_pki(built);
  store.add_with_csp_key(pki.issue({.key = "rsa:2048",
                                    .common_name = "JumpCloud Device Trust Certificate – EXPIRED",
                                    .valid_from_days = -60,
                                    .valid_to_days = -30}));
  Pki strangers(built.folder / "strangers", "ec:P-256", "A company's root", "A company's intermediate");
  store.add_with_csp_key(strangers.issue({.key = "rsa:2048", .common_name = "A person"}));
  store.add_certificate(strangers.issue({.key = "ec:P-256", .common_name = "A server"}).certificate, "MY");
  store.add_certificate(
      pki.issue({.key = "ec:P-256", .common_name = "JumpCloud Device Trust Certificate – KEYLESS"}).certificate, "MY");
  built.leaf = pki.issue({.key = built.store->key});
  store.add_with_csp_key(built.leaf);
}

void build_cng(BuiltStore& built) {
  set_environment("NCRYPT_DOUBLE_KEYS", built.folder.path().string());  // where the double is
  windows_store(built).add_with_cng_key(make_leaf(built));
}

}  // namespace

std::vector<Store> system_stores() {
  return {
      {"my_rsa", Owner::kOurs, "rsa:2048", "", build_csp, true, KeptBy::kCsp},
      {"my_rsa_old", Owner::kOurs, "rsa:2048", "", build_old_csp, false, KeptBy::kCsp},
      {"my_renewed", Owner::kOurs, "rsa:2048", "", build_renewed, false, KeptBy::kCsp},
      {"my_mixed", Owner::kOurs, "rsa:2048", "", build_mixed, false, KeptBy::kCsp},
      {"my_rsa_" DEVTRUST_CNG, Owner::kOurs, "rsa:2048", "", build_cng, false, KeptBy::kCng},
      {"my_p256_" DEVTRUST_CNG, Owner::kOurs, "ec:P-256", "", build_cng, true, KeptBy::kCng},
      {"my_p384_" DEVTRUST_CNG, Owner::kOurs, "ec:P-384", "", build_cng, false, KeptBy::kCng},
      {"my_p521_" DEVTRUST_CNG, Owner::kOurs, "ec:P-521", "", build_cng, false, KeptBy::kCng},
  };
}

}  // namespace devtrust::testing
