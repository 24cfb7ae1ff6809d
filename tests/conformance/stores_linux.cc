// NSS databases, tokens of other modules, keychains over a double of Security.framework, and SoftHSM and NSS's own
// token as judges.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <thread>

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

/// A token of SoftHSM's with the leaf and its key, and the issuers, too, where they are wanted.
void make_softhsm_token(BuiltStore& built, const std::string& label, bool issuers) {
  const Leaf& leaf = make_leaf(built);
  fs::create_directories(built.folder / "tokens");
  const fs::path config = built.folder / "softhsm2.conf";
  write_file(config, "directories.tokendir = " + (built.folder / "tokens").string() + "\nlog.level = ERROR\n");
  built.environment = {{"SOFTHSM2_CONF", config.string()}};
  must_run(
      {"softhsm2-util", "--init-token", "--free", "--label", label, "--pin", kPassword, "--so-pin", "security officer"},
      built.environment);
  const auto write = [&](const fs::path& der, const std::string& id, const std::vector<std::string>& options) {
    std::vector<std::string> command{
        "pkcs11-tool", "--module", DEVTRUST_SOFTHSM, "--token-label", label,     "--login",         "--pin", kPassword,
        "--id",        id,         "--write-object", der.string(),    "--label", built.token_label, "--type"};
    command.insert(command.end(), options.begin(), options.end());
    must_run(command, built.environment);
  };
  const fs::path der = built.folder / "object.der";
  const auto write_certificate = [&](const fs::path& pem, const std::string& id) {
    must_run({"openssl", "x509", "-in", pem.string(), "-outform", "DER", "-out", der.string()});
    write(der, id, {"cert"});
  };
  write_certificate(leaf.certificate, "0A1B");
  for (std::size_t i = 0; issuers && i < leaf.issuers.size(); ++i) {
    write_certificate(leaf.issuers[i], "C" + std::to_string(i));
  }
  must_run({"openssl", "pkey", "-in", leaf.key.string(), "-outform", "DER", "-out", der.string()});
  const std::string use = built.store->ec() ? "--usage-derive" : "--usage-decrypt";
  write(der, "0A1B", {"privkey", "--sensitive", "--usage-sign", use});
  must_run({"openssl", "pkey", "-in", leaf.key.string(), "-pubout", "-outform", "DER", "-out", der.string()});
  write(der, "0A1B", {"pubkey", "--usage-sign", use});
}

[[maybe_unused]] void build_softhsm(BuiltStore& built) {
  built.token_label = "JumpCloud Device Trust";
  make_softhsm_token(built, built.token_label, false);
  built.module_path = DEVTRUST_SOFTHSM;
}

std::string softokn_arguments(const NssDatabase& database) {
  return "configDir='sql:" + database.folder().string() +
         "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=readOnly";
}

[[maybe_unused]] void build_softokn(BuiltStore& built) {
  NssDatabase database(built.folder / "nss", built.store->password);
  database.import(make_leaf(built));
  built.module_path = DEVTRUST_SOFTOKN;
  built.token_label = "NSS Certificate DB";
  built.init_string = softokn_arguments(database);
}

std::string token_store(const std::string& module, const std::string& token, const std::string& more) {
  return "[[store]]\nkind = \"token\"\npath = \"" + module + "\"\ntoken = \"" + token + "\"\n" + more;
}

/// The PIN is a program's to give, or else the configuration's.
std::string pin_line(BuiltStore& built) {
  if (!built.store->password.empty()) return {};
  write_file(built.folder / "pin", std::string(kPassword) + '\n');
  return "pin_source = \"file:" + (built.folder / "pin").string() + "\"\n";
}

[[maybe_unused]] void build_token_softhsm(BuiltStore& built) {
  make_softhsm_token(built, "A card", true);
  configure(built, token_store(DEVTRUST_SOFTHSM, "A card", pin_line(built)));
}

[[maybe_unused]] void build_token_softokn(BuiltStore& built) {
  NssDatabase database(built.folder / "nss", built.store->password);
  database.import(make_leaf(built));
  configure(built, token_store(DEVTRUST_SOFTOKN, "NSS Certificate DB",
                               "init_args = \"\"\"" + softokn_arguments(database) + "\"\"\"\n"));
  built.untouched = database.folder();
}

/// Whether somebody listens there.
bool answers(const fs::path& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int socket_file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = connect(socket_file, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(socket_file);
  return connected;
}

/// The same card, by way of another process.
[[maybe_unused]] void build_token_remote(BuiltStore& built) {
  make_softhsm_token(built, "A card", true);
  const fs::path socket = built.folder / "socket";
  // It goes on in the background, and keeps what it writes errors to.
  const std::string said = must_run({"sh", "-c", "exec \"$@\" 2>/dev/null", "sh", "p11-kit", "server", "--sh", "--name",
                                     socket.string(), "--provider", DEVTRUST_SOFTHSM, "pkcs11:token=A%20card"},
                                    built.environment);
  const std::string mark = "P11_KIT_SERVER_PID=";
  const pid_t server = std::stoi(said.substr(said.find(mark) + mark.size()));
  built.kept = std::shared_ptr<void>(nullptr, [server](void*) { kill(server, SIGTERM); });
  while (!answers(socket)) {  // it says so before it listens; a server that died is a test that runs out of time
    std::this_thread::yield();
  }
  built.environment["P11_KIT_SERVER_ADDRESS"] = "unix:path=" + socket.string();
  configure(built, token_store(DEVTRUST_P11_KIT_CLIENT, "A card", pin_line(built)));
}

}  // namespace

std::vector<Store> system_stores() {
  std::vector<Store> stores{
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
      {"token_softhsm_rsa", Owner::kOurs, "rsa:2048", "", build_token_softhsm, false, KeptBy::kSoftHsm},
      {"token_softhsm_p256_password", Owner::kOurs, "ec:P-256", kPassword, build_token_softhsm, true, KeptBy::kSoftHsm},
      {"token_softokn_rsa", Owner::kOurs, "rsa:2048", "", build_token_softokn, false, KeptBy::kSoftokn},
      {"token_softokn_p256_password", Owner::kOurs, "ec:P-256", kPassword, build_token_softokn, false,
       KeptBy::kSoftokn},
      {"token_remote_rsa", Owner::kOurs, "rsa:2048", "", build_token_remote, false, KeptBy::kSoftHsm},
      {"softhsm_rsa", Owner::kSoftHsm, "rsa:2048", kPassword, build_softhsm},
      {"softhsm_p256", Owner::kSoftHsm, "ec:P-256", kPassword, build_softhsm},
      {"softokn_rsa", Owner::kSoftokn, "rsa:2048", "", build_softokn},
      {"softokn_p256_password", Owner::kSoftokn, "ec:P-256", kPassword, build_softokn},
#endif
  };
  const std::vector<Store> keychains = keychain_stores();
  stores.insert(stores.end(), keychains.begin(), keychains.end());
  return stores;
}

std::string nss_store(const fs::path& path, const std::string& more) {
  return "[[store]]\nkind = \"nss\"\npath = \"" + path.string() + "\"\n" + more;
}

}  // namespace devtrust::testing
