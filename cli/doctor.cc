#include "cli/doctor.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/credentials.h"
#include "cli/doctor_browsers.h"
#include "cli/doctor_line.h"
#include "cli/files.h"
#include "cli/openssl_conf.h"
#include "cli/output.h"
#include "cli/programs.h"
#include "cli/report.h"
#include "cli/setup/curl.h"
#include "cli/setup/gpgsm.h"
#include "cli/setup/openssl.h"
#include "cli/setup/ssh.h"
#include "cli/subprocess.h"
#include "cli/trust.h"
#include "cli/validity.h"
#include "identity/certificate_text.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

using Json = nlohmann::ordered_json;

class Examination {
 public:
  Examination() : now_(current_time()) {}

  std::vector<Line> run() {
    const auto device = examine_configuration();
    if (device) {
      examine_stores(*device);
      examine_identities(*device);
    }
    examine_module();
    examine_p11_kit();
    examine_provider();
    examine_curl();
    examine_ssh();
    if (device) examine_gpgsm(*device->snapshot);
    for (Line& line : examine_browsers(device ? &*device : nullptr)) lines_.push_back(std::move(line));
    examine_git();
    return std::move(lines_);
  }

 private:
  void ok(const std::string& subject, std::string message) {
    lines_.push_back({Finding::kOk, subject, std::move(message), {}});
  }
  void off(const std::string& subject, std::string message, std::string cure) {
    lines_.push_back({Finding::kOff, subject, std::move(message), std::move(cure)});
  }
  void problem(const std::string& subject, std::string message, std::string cure = {}) {
    lines_.push_back({Finding::kProblem, subject, std::move(message), std::move(cure)});
  }

  Result<Device> examine_configuration() {
    auto device = open_device();
    if (!device) {
      problem("configuration", device.error().message);
      return device;
    }
    std::string files;
    for (const std::string& file : device->config.files) files += (files.empty() ? "" : ", ") + file;
    ok("configuration", files.empty() ? "none, and none is needed" : files);
    if (auto writable = device->audit->probe(); !writable) {
      problem("audit", writable.error().message, "see who may write there, or name another place as audit");
    }
    const Trust trust = Trust::load(device->config);
    for (const std::string& trouble : trust.problems()) problem("configuration", trouble);
    return device;
  }

  void examine_stores(const Device& device) {
    bool any = false;
    for (const StoreReport& report : device.snapshot->reports()) {
      // A usual place that is not there is no news; one that was configured is.
      for (const Error& error : report.problems) {
        if (error.code == ErrorCode::kNotFound && !report.explicitly_configured) continue;
        problem("store", error.message);
        any = true;
      }
      if (!report.problems.empty() || !report.found) continue;
      ok("store", fmt::format("{} ({}) can be read", report.location, report.kind));
      any = true;
    }
    if (!any) {
      problem(
          "store", "none of the usual places has an NSS database",
          "see that the agent runs and has enrolled this user, or name the place as [[store]] in the configuration");
    }
    for (const Error& error : device.snapshot->problems()) problem("store", error.message);
  }

  void examine_identities(const Device& device) {
    const Snapshot& snapshot = *device.snapshot;
    if (snapshot.profiles().empty()) {
      problem("certificate", "no device-trust certificate with its private key is in any store",
              "see that the agent runs and has enrolled this user; a product that is not built in needs a [[profile]]");
    }
    for (const Profile& profile : snapshot.profiles()) {
      const auto current = snapshot.current(profile.name, now_);
      if (!current) {
        problem(profile.name, current.error().message);
        const auto& identities = snapshot.identities(profile.name);
        if (identities.empty() || now_ >= identities.front()->leaf->not_before()) examine_agent(profile.name, snapshot);
        continue;
      }
      examine_current(device, profile.name, **current);
      examine_rivals(profile.name, **current, snapshot);
    }
  }

  void examine_current(const Device& device, const std::string& profile, const Identity& identity) {
    const Certificate& leaf = *identity.leaf;
    const std::string validity = '"' + name_of(leaf) + "\" is " + validity_text(leaf, now_);
    if (now_ >= renewal_due(leaf)) {
      problem(profile, validity, "see that the agent runs");
      examine_agent(profile, *device.snapshot);
    } else {
      ok(profile, validity);
      if (!has_agent(profile))
        off(profile, kNoAgent + std::string(", so nobody will renew the certificate"), kInstallAgain);
    }
    if (identity.chain.complete) {
      ok(profile, "the chain is complete, up to \"" + name_of(identity.chain.last(leaf)) + '"');
    } else {
      problem(profile,
              identity.chain.issuers.empty() ? "the store has no issuer of this certificate, so servers may refuse it"
                                             : "the chain ends before its root, so servers may refuse it",
              "have the agent enrol the device again, or add the missing certificates to the store with certutil -A");
    }
    examine_key(device, profile, identity);
  }

  /// Signs and verifies: whether the key is the certificate's, and works.
  void examine_key(const Device& device, const std::string& profile, const Identity& identity) {
    if (identity.login != nullptr && !identity.login->unlocked()) {
      locked_ = true;
      problem(profile, identity.location + " needs its password before the key can be used",
              "name a pin_source for this store in the configuration, or give the password to each program");
      return;
    }
    const PublicKey& key = identity.leaf->public_key();
    SignScheme scheme{SignAlgorithm::kRsaPkcs1, Digest::kSha256, Digest::kNone, 0};
    if (identity.leaf->for_pss_only()) scheme = {SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 32};
    if (key.type() == KeyType::kEc) scheme.algorithm = SignAlgorithm::kEcdsa;
    if (key.type() == KeyType::kEd25519 || key.type() == KeyType::kEd448)
      scheme = {SignAlgorithm::kEddsa, Digest::kNone, Digest::kNone, 0};
    const Bytes input(32, 0x5A);
    Bytes signature(key.max_signature_size());
    auto audited = device.audit->record("sign", identity, "doctor");
    if (!audited) return problem(profile, audited.error().message);
    const auto length = identity.key->sign(scheme, input, signature);
    if (!length) return problem(profile, "the key does not sign: " + length.error().message);
    if (!key.verify(scheme, input, ByteView(signature).first(*length))) {
      return problem(profile, "what the key signs does not verify with its certificate",
                     "have the agent enrol the device again");
    }
    ok(profile, "the key (" + key_text(key) + ") is the certificate's, and signs");
  }

  /// Other stores with a valid identity of their own.
  void examine_rivals(const std::string& profile, const Identity& current, const Snapshot& snapshot) {
    std::set<std::string> places;
    for (const IdentityPtr& other : snapshot.identities(profile)) {
      if (other->location == current.location || obstacle(*other, now_) ||
          other->leaf->sha256() == current.leaf->sha256())
        continue;
      places.insert(other->location);
    }
    for (const std::string& place : places) {
      problem(profile,
              fmt::format("{} has another valid certificate; the newest counts, which is the one in {}", place,
                          current.location),
              "where that is wrong, name the right store alone as [[store]] in the configuration");
    }
  }

  static bool has_agent(const std::string& profile) {
    std::error_code error;
    return profile != "jumpcloud" || std::filesystem::exists("/opt/jc", error);
  }
  static constexpr const char* kNoAgent = "JumpCloud's agent is not on this machine (/opt/jc is missing)";
  static constexpr const char* kInstallAgain =
      "install the agent again; where the device was removed on purpose, delete the certificate with certutil -F";

  /// Why nobody renews.
  void examine_agent(const std::string& profile, const Snapshot& snapshot) {
    if (!has_agent(profile)) {
      return problem(profile, kNoAgent + std::string(", so nobody renews the certificate"), kInstallAgain);
    }
    const auto& identities = snapshot.identities(profile);
    if (identities.empty()) return;
    const Certificate& newest = *identities.front()->leaf;
    if (now_ - newest.not_after() > newest.not_after() - newest.not_before()) {
      problem(profile, "the certificate expired so long ago that its agent seems to be gone", kInstallAgain);
    }
  }

  void examine_module() {
    const auto path = module_path();
    if (!path) return problem("module", path.error().message);
    if (void* module = dlopen(path->c_str(), RTLD_NOW | RTLD_LOCAL); module == nullptr) {
      problem("module", *path + " cannot be loaded: " + dlerror(), "install devtrust again");
    } else if (dlsym(module, "C_GetFunctionList") == nullptr) {
      problem("module", *path + " is no PKCS#11 module", "install devtrust again");
    } else {
      ok("module", *path + " loads");
    }
  }

  void examine_p11_kit() {
    const auto listed = cli::run({"p11-kit", "list-modules"});
    if (!listed) return off("p11-kit", "is not installed", {});
    if (listed->output.find("library-manufacturer: devtrust") != std::string::npos)
      return ok("p11-kit", "knows the module");
    // It passes over a module that it cannot load, and says nothing.
    for (const std::string& folder :
         {config_home() + "/pkcs11", std::string("/etc/pkcs11"), std::string("/usr/share/p11-kit")}) {
      const std::string file = folder + "/modules/devtrust.module";
      if (access(file.c_str(), F_OK) != 0) continue;
      return problem("p11-kit", "has " + file + ", and does not load the module that it names",
                     std::string(!folder.starts_with(config_home())
                                     ? "as root, delete that file, then: devtrust setup p11-kit --system"
                                     : "delete that file, then: devtrust setup p11-kit") +
                         "; where that does not help, see whether pkcs11.conf has user-config: none");
    }
    off("p11-kit", "does not know the module", "devtrust setup p11-kit");
  }

  void examine_provider() {
    const auto path = provider_path();
    if (!path) return problem("provider", path.error().message);
    const auto listed = cli::run({"openssl", "list", "-providers"});
    if (!listed) return off("provider", "the openssl program is not installed, so it was not tried", {});
    if (listed->code != 0) {
      return problem("provider", "openssl does not start with its configuration: " + first_line(listed->errors),
                     "see what OPENSSL_CONF, or the system's openssl.cnf, names");
    }
    const auto folder = std::filesystem::path(*path).parent_path().string();
    const auto loaded = cli::run(
        {"openssl", "list", "-providers", "-provider-path", folder, "-provider", "devtrust", "-provider", "default"});
    if (!loaded || loaded->code != 0) {
      return problem("provider",
                     *path + " cannot be loaded" + (loaded ? ": " + first_line(loaded->errors) : std::string()),
                     "install devtrust again");
    }
    if (listed->output.find("  devtrust\n") == std::string::npos) return examine_openssl_conf(*path);
    ok("provider", *path + " is active");
  }

  /// Why OpenSSL does not load the provider that can be loaded: it passes over one that is not there, in silence.
  void examine_openssl_conf(const std::string& provider) {
    const std::string read = openssl_conf_file();
    const std::string own = user_openssl_conf();
    for (const std::string& file : {read, own}) {
      const std::string named = provider_named_in(file);
      if (named.empty() || access(named.c_str(), R_OK) == 0) continue;
      return problem(
          "provider", fmt::format("{} names {}, which is not there", file, named),
          file == system_openssl_conf() ? "as root: devtrust setup openssl --system" : "devtrust setup openssl");
    }
    if (read != own && !provider_named_in(own).empty()) {
      return off("provider", provider + " is set up in " + own + ", which this session does not read",
                 "log in again, or: export OPENSSL_CONF=" + quoted_word(own));
    }
    off("provider", provider + " loads; OpenSSL's programs are not told of it",
        "devtrust setup openssl, or run a program with `devtrust exec`");
  }

  void examine_curl() {
    if (!curl_is_set_up()) return off("curl", "has no files of the certificate", "devtrust setup curl");
    const std::string folder = pem_folder();
    const auto chain = read_if_there(folder + "/chain.pem");
    const auto key = read_if_there(folder + "/key.pem");
    for (const auto* file : {&chain, &key}) {
      if (!*file) return problem("curl", file->error().message);
      if (!**file) return problem("curl", folder + " has no chain.pem and key.pem any more", "devtrust setup curl");
    }
    if (const auto provider = std::ranges::find(lines_, "provider", &Line::subject);
        provider != lines_.end() && provider->finding != Finding::kOk && !provider->cure.empty()) {
      return problem("curl", "cannot use the key, since OpenSSL does not load the provider", provider->cure);
    }
    const auto current = pem_files({});
    // Which profile setup was given is not asked again: its key.pem names it.
    if (current && **key == current->key && **chain != current->chain) {
      return problem("curl", folder + "/chain.pem is not of the current certificate",
                     "devtrust setup curl, and see systemctl --user status devtrust-refresh.path for why");
    }
    const auto failed = cli::run({"systemctl", "--user", "is-failed", "devtrust-refresh.service"});
    if (current && failed && failed->code == 0) {
      return problem("curl", "the last run of devtrust-refresh.service failed",
                     "systemctl --user restart devtrust-refresh.service, and see its status");
    }
    const auto active = cli::run({"systemctl", "--user", "is-active", "devtrust-refresh.path"});
    if (active && active->output == "inactive\n") {
      return problem("curl", "devtrust-refresh.path does not run, so nobody writes chain.pem anew",
                     "systemctl --user start devtrust-refresh.path devtrust-refresh.timer");
    }
    ok("curl", "has the current certificate in " + folder);
  }

  void examine_ssh() {
    const auto asked = cli::run({"ssh", "-G", "devtrust.invalid"});
    if (!asked) return off("ssh", "is not installed", {});
    if (asked->code != 0) {
      return problem("ssh", "does not start with its configuration: " + first_line(asked->errors),
                     "mend that file first");
    }
    const std::string module = ssh_module(asked->output);
    if (module.empty()) return off("ssh", "does not offer the device's key", "devtrust setup ssh");
    if (module.find("devtrust") == std::string::npos)
      return off("ssh", "uses another module, " + module, "take its PKCS11Provider out, then: devtrust setup ssh");
    if (access(module.c_str(), R_OK) != 0)
      return problem("ssh", "is to load " + module + ", which is not there", "devtrust setup ssh");
    ok("ssh", "offers the device's key");
  }

  void examine_gpgsm(const Snapshot& snapshot) {
    if (!is_installed(kCardDaemon)) return off("gpgsm", std::string(kCardDaemon) + " is not installed", {});
    if (!is_installed("gpgsm")) return off("gpgsm", "is not installed", {});
    const auto settings = gpgsm_settings();
    if (!settings) return problem("gpgsm", settings.error().message);
    const std::string& program = settings->card_daemon;
    const auto current = select_current(snapshot, {}, now_);
    if (current && !usable_by_gpgsm(*(*current)->leaf)) {
      return off("gpgsm", "cannot use the device's key, which is none of RSA", {});
    }
    if (program.empty()) return off("gpgsm", "does not offer the device's key", "devtrust setup gpgsm");
    if (!program.ends_with(kCardDaemon)) {
      return off("gpgsm", "uses another card daemon, " + program,
                 "take that scdaemon-program out of gpg-agent.conf, then: devtrust setup gpgsm");
    }
    for (const std::string& file : {program, settings->module}) {
      if (!file.empty() && access(file.c_str(), R_OK) != 0)
        return problem("gpgsm", "is to load " + file + ", which is not there", "devtrust setup gpgsm");
    }
    if (settings->module.empty()) return off("gpgsm", "does not offer the device's key", "devtrust setup gpgsm");
    if (current) examine_gpgsm_keyring(*settings, **current);
  }

  void examine_gpgsm_keyring(const GpgsmSettings& settings, const Identity& identity) {
    if (identity.chain.complete) {
      const Certificate& root = identity.chain.last(*identity.leaf);
      if (!settings.trusts(root)) {
        return problem("gpgsm", "does not trust the root of the certificate's chain, \"" + name_of(root) + '"',
                       "devtrust setup gpgsm");
      }
    }
    const auto listed = cli::run({"gpgsm", "--with-colons", "-k", "0x" + sha1_fingerprint(*identity.leaf)});
    if (!listed || listed->code != 0) {
      return problem(
          "gpgsm",
          "does not start with its configuration: " + (listed ? first_line(listed->errors) : listed.error().message),
          "mend that file first");
    }
    if (listed->output.find("\nfpr:") == std::string::npos)
      return problem("gpgsm", "has not learned the current certificate", kLearnCommand);
    ok("gpgsm", "offers the device's key");
  }

  void examine_git() {
    const auto listed = cli::run({"git", "config", "--list"});
    if (!listed) return off("git", "is not installed", {});
    if (listed->code != 0) {
      return problem("git", "does not start with its configuration: " + first_line(listed->errors),
                     "mend that file first");
    }
    const auto format = setting("gpg.format");
    if (*format != "x509") return off("git", "does not sign with the device certificate", "devtrust setup git");
    const std::string program = setting("gpg.x509.program")->empty() ? "gpgsm" : *setting("gpg.x509.program");
    if (program.find("devtrust-smimesign") == std::string::npos) {
      return off("git", "signs by another program, " + program, "devtrust setup git");
    }
    if (locked_) return off("git", "is set up; it was not tried, since it would ask for the password", {});
    const std::string key = *setting("user.signingKey");
    const std::string data = "devtrust doctor\n";
    const auto made = cli::run({program, "-bsau", key.empty() ? "devtrust:" : key}, data);
    if (!made || made->code != 0) {
      return problem("git", "cannot sign: " + (made ? said(made->errors) : made.error().message),
                     made ? "" : "devtrust setup git");
    }
    ok("git", "signs, as \"" + (key.empty() ? "devtrust:" : key) + '"');
    examine_trust(program, made->output, data);
  }

  void examine_trust(const std::string& program, const std::string& signature, const std::string& data) {
    const TemporaryFile file("doctor", signature);
    if (file.path().empty())
      return problem("git", temporary_folder() + " cannot be written to, so that nothing was verified");
    const auto verified = cli::run({program, "--status-fd=1", "--verify", file.path(), "-"}, data);
    if (verified && verified->code == 0) return ok("git", "verifies what it signs, and trusts it");
    problem(
        "git",
        "shows its own signatures as not trusted: " + (verified ? said(verified->errors) : verified.error().message),
        "devtrust setup git, which copies the root of the certificate's chain to the roots that are believed");
  }

  /// git's; empty where it is not set, nothing where git is not there.
  static std::optional<std::string> setting(const std::string& name) {
    const auto ended = cli::run({"git", "config", "--get", name});
    if (!ended) return std::nullopt;
    return first_line(ended->output);
  }

  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }
  /// The last thing that our own program complained of, without its name.
  static std::string said(const std::string& text) {
    std::string line = text.substr(0, text.find_last_not_of('\n') + 1);
    line.erase(0, line.rfind('\n') + 1);
    const std::size_t colon = line.find(": ");
    return colon == std::string::npos ? line : line.substr(colon + 2);
  }

  Time now_;
  bool locked_ = false;  // a store needs a password, which we ask nobody for
  std::vector<Line> lines_;
};

const char* finding_name(Finding finding) {
  switch (finding) {
    case Finding::kOk:
      return "ok";
    case Finding::kProblem:
      return "problem";
    case Finding::kOff:
      break;
  }
  return "off";
}

std::string text_of(const std::vector<Line>& lines, const Style& style) {
  constexpr std::size_t kIndent = 9;
  std::string text;
  for (const Line& line : lines) {
    const std::string name = finding_name(line.finding);
    const std::string first = line.finding == Finding::kOk        ? style.good(name)
                              : line.finding == Finding::kProblem ? style.bad(name)
                                                                  : name;
    std::string body = wrapped(style.strong(line.subject) + ": " + printable(line.message), kIndent);
    body.replace(0, name.size(), first);
    text += body;
    if (!line.cure.empty()) text += wrapped("do: " + printable(line.cure), kIndent);
  }
  return text;
}

}  // namespace

int doctor(Format format) {
  const std::vector<Line> lines = Examination().run();
  const bool well = std::ranges::none_of(lines, [](const Line& line) { return line.finding == Finding::kProblem; });
  std::string text;
  if (format == Format::kJson) {
    Json answer = json_header(current_time());
    Json list = Json::array();
    for (const Line& line : lines) {
      list.push_back({{"finding", finding_name(line.finding)},
                      {"subject", line.subject},
                      {"message", line.message},
                      {"cure", line.cure.empty() ? Json() : Json(line.cure)}});
    }
    answer["well"] = well;
    answer["lines"] = std::move(list);
    text = json_text(answer);
  } else {
    text = text_of(lines, Style::of(STDOUT_FILENO));
  }
  return print_answer(text, well ? 0 : 1);
}

}  // namespace devtrust::cli
