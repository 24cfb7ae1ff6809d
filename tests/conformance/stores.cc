#include "tests/conformance/stores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/conformance/store_builders.h"

namespace devtrust::testing {

Pki& make_pki(BuiltStore& built) {
  built.pki = std::make_unique<Pki>(built.folder / "pki", "ec:P-256");
  return *built.pki;
}

Leaf& make_leaf(BuiltStore& built) { return built.leaf = make_pki(built).issue({.key = built.store->key}); }

void configure(BuiltStore& built, const std::string& text) {
  built.module_path = DEVTRUST_MODULE;
  built.token_label = "JumpCloud Device Trust";
  const std::string config = write_config(built.folder.path(), text).string();
  built.init_string = "config=" + config;
  // for C_Initialize without arguments
  built.environment["DEVTRUST_CONFIG"] = config;
}

namespace {

namespace fs = std::filesystem;

void build_pem(BuiltStore& built) {
  const Leaf& leaf = make_leaf(built);
  const fs::path path = built.folder / "identity.pem";
  std::string pem = read_file(leaf.key) + read_file(leaf.certificate);
  for (const fs::path& issuer : leaf.issuers) pem += read_file(issuer);
  write_file(path, pem);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  configure(built, file_store(path));
  built.untouched = path;
}

void build_pkcs12(BuiltStore& built) {
  const fs::path path = make_leaf(built).pkcs12(kPassword);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  std::string more;
  if (built.store->password.empty()) {
    write_file(built.folder / "pin", kPassword);
    more = "pin_source = \"file:" + (built.folder / "pin").generic_string() + "\"\n";
  }
  configure(built, file_store(path, more));
  built.untouched = path;
}

const std::vector<Store>& table() {
  static const std::vector<Store> stores = [] {
    std::vector<Store> list = system_stores();
    list.push_back({"pem_rsa", Owner::kOurs, "rsa:3072", "", build_pem});
    list.push_back({"pem_p256", Owner::kOurs, "ec:P-256", "", build_pem});
    list.push_back({"pem_ed25519", Owner::kOurs, "ed25519", "", build_pem, true});
    list.push_back({"pem_ed448", Owner::kOurs, "ed448", "", build_pem});
    list.push_back({"pkcs12_rsa", Owner::kOurs, "rsa:2048", "", build_pkcs12});
    return list;
  }();
  return stores;
}

struct Kept {
  std::unique_ptr<BuiltStore> built;
  std::map<std::string, std::string> before;
};

std::map<std::string, Kept>& cache() {
  static std::map<std::string, Kept> stores;
  return stores;
}

/// After all tests: stores are only read, whatever was called.
class Untouched : public ::testing::Environment {
 public:
  void TearDown() override {
    for (const auto& [name, kept] : cache()) {
      if (kept.built->untouched.empty()) continue;
      // not EXPECT_EQ: nobody wants to read a database's bytes
      EXPECT_TRUE(file_contents(kept.built->untouched) == kept.before) << name << " was written to";
    }
  }
};
const ::testing::Environment* const untouched = ::testing::AddGlobalTestEnvironment(new Untouched);

}  // namespace

void PrintTo(const Store* store, std::ostream* out) { *out << store->name; }

std::map<std::string, std::string> file_contents(const fs::path& path) {
  std::map<std::string, std::string> files;
  if (!fs::is_directory(path)) return {{path.string(), read_file(path)}};
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files[entry.path().string()] = read_file(entry.path());
  }
  return files;
}

const std::vector<const Store*>& all_stores() {
  static const std::vector<const Store*> list = stores_that([](const Store&) { return true; });
  return list;
}

std::vector<const Store*> stores_that(const std::function<bool(const Store&)>& wanted) {
  std::vector<const Store*> list;
  for (const Store& store : table()) {
    if (wanted(store)) list.push_back(&store);
  }
  return list;
}

std::vector<const Store*> strict_stores() { return stores_that(&Store::strict); }

const Store& store_named(const std::string& name) {
  const auto found = std::ranges::find(table(), name, &Store::name);
  if (found == table().end()) throw std::runtime_error("no such store: " + name);
  return *found;
}

BuiltStore& built(const Store& store) {
  Kept& kept = cache()[store.name];
  if (!kept.built) {
    auto made = std::make_unique<BuiltStore>();
    made->store = &store;
    store.build(*made);
    if (!made->untouched.empty()) kept.before = file_contents(made->untouched);
    kept.built = std::move(made);
  }
  return *kept.built;
}

fs::path write_config(const fs::path& folder, const std::string& text) {
  const fs::path path = folder / "config.toml";
  write_file(path, text);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  return path;
}

std::string file_store(const fs::path& path, const std::string& more) {
  return "[[store]]\nkind = \"file\"\npath = \"" + path.generic_string() + "\"\n" + more;
}

}  // namespace devtrust::testing
