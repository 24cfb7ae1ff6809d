#include "tests/conformance/stores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace devtrust::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPassword = "correct horse";

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
  built.environment = {{"DEVTRUST_CONFIG", config}};
}

void build_nss(BuiltStore& built) {
  NssDatabase database(built.folder / "nss", built.store->password);
  database.import(make_leaf(built));
  configure(built, nss_store(database.folder()));
  built.untouched = database.folder();
}

/// The password is the configuration's: nobody has to log in.
void build_nss_with_pin_source(BuiltStore& built) {
  NssDatabase database(built.folder / "nss", kPassword);
  database.import(make_leaf(built));
  write_file(built.folder / "pin", std::string(kPassword) + '\n');
  configure(built, nss_store(database.folder(), "pin_source = \"file:" + (built.folder / "pin").string() + "\"\n"));
  built.untouched = database.folder();
}

/// A former identity beside the current one, as between two steps of a renewal.
void build_nss_renewed(BuiltStore& built) {
  NssDatabase database(built.folder / "nss");
  Pki& pki = make_pki(built);
  database.import(pki.issue({.key = built.store->key,
                             .common_name = "JumpCloud Device Trust Certificate – OLD",
                             .valid_from_days = -20,
                             .valid_to_days = 10}));
  built.leaf = pki.issue({.key = built.store->key, .valid_from_days = -6, .valid_to_days = 24});
  database.import(built.leaf);
  configure(built, nss_store(database.folder()));
  built.untouched = database.folder();
}

/// Other people's certificates and keys, an expired identity, and certificates without a key.
void build_nss_mixed(BuiltStore& built) {
  NssDatabase database(built.folder / "nss");
  Pki& pki = make_pki(built);
  database.import(pki.issue({.key = "ec:P-384",
                             .common_name = "JumpCloud Device Trust Certificate – EXPIRED",
                             .valid_from_days = -60,
                             .valid_to_days = -30}));
  Pki strangers(built.folder / "strangers", "ec:P-256", "A company's root", "A company's intermediate");
  database.import(strangers.issue({.key = "ec:P-256", .common_name = "A person"}));
  database.add_certificate(strangers.issue({.key = "ec:P-256", .common_name = "A server"}).certificate, "server");
  database.add_certificate(
      pki.issue({.key = "ec:P-256", .common_name = "JumpCloud Device Trust Certificate – KEYLESS"}).certificate,
      "keyless");
  built.leaf = pki.issue({.key = built.store->key});
  database.import(built.leaf);
  configure(built, nss_store(database.folder()));
  built.untouched = database.folder();
}

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
    more = "pin_source = \"file:" + (built.folder / "pin").string() + "\"\n";
  }
  configure(built, file_store(path, more));
  built.untouched = path;
}

[[maybe_unused]] void build_softhsm(BuiltStore& built) {
  const Leaf& leaf = make_leaf(built);
  built.module_path = DEVTRUST_SOFTHSM;
  built.token_label = "JumpCloud Device Trust";
  fs::create_directories(built.folder / "tokens");
  const fs::path config = built.folder / "softhsm2.conf";
  write_file(config, "directories.tokendir = " + (built.folder / "tokens").string() + "\nlog.level = ERROR\n");
  built.environment = {{"SOFTHSM2_CONF", config.string()}};
  must_run({"softhsm2-util", "--init-token", "--free", "--label", built.token_label, "--pin", kPassword, "--so-pin",
            "security officer"},
           built.environment);
  const auto write = [&built](const fs::path& der, const std::vector<std::string>& options) {
    std::vector<std::string> command{
        "pkcs11-tool", "--module", built.module_path, "--token-label", built.token_label, "--login",
        "--pin",       kPassword,  "--write-object",  der.string(),    "--label",         built.token_label,
        "--id",        "0A1B",     "--type"};
    command.insert(command.end(), options.begin(), options.end());
    must_run(command, built.environment);
  };
  const fs::path der = built.folder / "object.der";
  must_run({"openssl", "x509", "-in", leaf.certificate.string(), "-outform", "DER", "-out", der.string()});
  write(der, {"cert"});
  must_run({"openssl", "pkey", "-in", leaf.key.string(), "-outform", "DER", "-out", der.string()});
  const std::string use = built.store->ec() ? "--usage-derive" : "--usage-decrypt";
  write(der, {"privkey", "--sensitive", "--usage-sign", use});
  must_run({"openssl", "pkey", "-in", leaf.key.string(), "-pubout", "-outform", "DER", "-out", der.string()});
  write(der, {"pubkey", "--usage-sign", use});
}

[[maybe_unused]] void build_softokn(BuiltStore& built) {
  NssDatabase database(built.folder / "nss", built.store->password);
  database.import(make_leaf(built));
  built.module_path = DEVTRUST_SOFTOKN;
  built.token_label = "NSS Certificate DB";
  built.init_string =
      "configDir='sql:" + database.folder().string() + "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=readOnly";
}

const std::vector<Store>& table() {
  static const std::vector<Store> stores = {
      {"nss_rsa", Owner::kOurs, "rsa:2048", "", build_nss},
      {"nss_rsa_password", Owner::kOurs, "rsa:2048", kPassword, build_nss},
      {"nss_rsa_pin_source", Owner::kOurs, "rsa:2048", "", build_nss_with_pin_source},
      {"nss_p256", Owner::kOurs, "ec:P-256", "", build_nss},
      {"nss_p256_password", Owner::kOurs, "ec:P-256", kPassword, build_nss},
      {"nss_p384", Owner::kOurs, "ec:P-384", "", build_nss},
      {"nss_p521", Owner::kOurs, "ec:P-521", "", build_nss},
      {"nss_renewed", Owner::kOurs, "ec:P-256", "", build_nss_renewed},
      {"nss_mixed", Owner::kOurs, "rsa:2048", "", build_nss_mixed},
      {"pem_rsa", Owner::kOurs, "rsa:3072", "", build_pem},
      {"pem_p256", Owner::kOurs, "ec:P-256", "", build_pem},
      {"pem_ed25519", Owner::kOurs, "ed25519", "", build_pem},
      {"pem_ed448", Owner::kOurs, "ed448", "", build_pem},
      {"pkcs12_rsa", Owner::kOurs, "rsa:2048", "", build_pkcs12},
#ifndef DEVTRUST_SANITIZED  // the judges are not instrumented: they judge the suite, and that once
      {"softhsm_rsa", Owner::kSoftHsm, "rsa:2048", kPassword, build_softhsm},
      {"softhsm_p256", Owner::kSoftHsm, "ec:P-256", kPassword, build_softhsm},
      {"softokn_rsa", Owner::kSoftokn, "rsa:2048", "", build_softokn},
      {"softokn_p256_password", Owner::kSoftokn, "ec:P-256", kPassword, build_softokn},
#endif
  };
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
  if (!fs::is_directory(path)) return {{path, read_file(path)}};
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files[entry.path()] = read_file(entry.path());
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

std::string nss_store(const fs::path& path, const std::string& more) {
  return "[[store]]\nkind = \"nss\"\npath = \"" + path.string() + "\"\n" + more;
}

std::string file_store(const fs::path& path, const std::string& more) {
  return "[[store]]\nkind = \"file\"\npath = \"" + path.string() + "\"\n" + more;
}

}  // namespace devtrust::testing
