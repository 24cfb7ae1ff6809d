// NSS databases, and SoftHSM and NSS's own token as judges.
#include "tests/conformance/store_builders.h"

namespace devtrust::testing {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

std::vector<Store> system_stores() {
  return {
      {"nss_rsa", Owner::kOurs, "rsa:2048", "", build_nss},
      {"nss_rsa_password", Owner::kOurs, "rsa:2048", kPassword, build_nss, true},
      {"nss_rsa_pin_source", Owner::kOurs, "rsa:2048", "", build_nss_with_pin_source},
      {"nss_p256", Owner::kOurs, "ec:P-256", "", build_nss, true},
      {"nss_p256_password", Owner::kOurs, "ec:P-256", kPassword, build_nss},
      {"nss_p384", Owner::kOurs, "ec:P-384", "", build_nss},
      {"nss_p521", Owner::kOurs, "ec:P-521", "", build_nss},
      {"nss_renewed", Owner::kOurs, "ec:P-256", "", build_nss_renewed},
      {"nss_mixed", Owner::kOurs, "rsa:2048", "", build_nss_mixed},
#ifndef DEVTRUST_SANITIZED  // the judges are not instrumented: they judge the suite, and that once
      {"softhsm_rsa", Owner::kSoftHsm, "rsa:2048", kPassword, build_softhsm},
      {"softhsm_p256", Owner::kSoftHsm, "ec:P-256", kPassword, build_softhsm},
      {"softokn_rsa", Owner::kSoftokn, "rsa:2048", "", build_softokn},
      {"softokn_p256_password", Owner::kSoftokn, "ec:P-256", kPassword, build_softokn},
#endif
  };
}

std::string nss_store(const fs::path& path, const std::string& more) {
  return "[[store]]\nkind = \"nss\"\npath = \"" + path.string() + "\"\n" + more;
}

}  // namespace devtrust::testing
