#include "cli/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/doctor_line.h"
#include "cli/doctor_programs.h"
#include "cli/file_system.h"
#include "cli/files.h"
#include "cli/openssl_conf.h"
#include "cli/output.h"
#include "cli/programs.h"
#include "cli/report.h"
#include "cli/setup/openssl.h"
#include "cli/setup/session.h"
#include "cli/shared_library.h"
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
    examine_users_of_module(lines_);
    examine_provider();
    examine_programs(device ? &*device : nullptr, lines_);
    examine_git();
    return lines_.all();
  }

 private:
  Result<Device> examine_configuration() {
    auto device = open_device();
    if (!device) {
      lines_.problem("configuration", device.error().message);
      return device;
    }
    std::string files;
    for (const std::string& file : device->config.files) files += (files.empty() ? "" : ", ") + file;
    lines_.ok("configuration", files.empty() ? "none, and none is needed" : files);
    if (auto writable = device->audit->probe(); !writable) {
      lines_.problem("audit", writable.error().message, "see who may write there, or name another place as audit");
    }
    const Trust trust = Trust::load(device->config);
    for (const std::string& trouble : trust.problems()) lines_.problem("configuration", trouble);
    return device;
  }

  void examine_stores(const Device& device) {
    bool any = false;
    for (const StoreReport& report : device.snapshot->reports()) {
      // A usual place that is not there is no news; one that was configured is.
      for (const Error& error : report.problems) {
        if (error.code == ErrorCode::kNotFound && !report.explicitly_configured) continue;
        lines_.problem("store", error.message);
        any = true;
      }
      if (!report.problems.empty() || !report.found) continue;
      lines_.ok("store", fmt::format("{} ({}) can be read", report.location, report.kind));
      any = true;
    }
    if (!any) {
      lines_.problem("store", kNoStore,
                     "see that the agent runs and has enrolled this user, or name the place as [[store]] in the "
                     "configuration");
    }
    for (const Error& error : device.snapshot->problems()) lines_.problem("store", error.message);
  }

  void examine_identities(const Device& device) {
    const Snapshot& snapshot = *device.snapshot;
    if (snapshot.profiles().empty()) {
      lines_.problem(
          "certificate", "no device-trust certificate with its private key is in any store",
          "see that the agent runs and has enrolled this user; a product that is not built in needs a [[profile]]");
    }
    for (const Profile& profile : snapshot.profiles()) {
      const auto current = snapshot.current(profile.name, now_);
      if (!current) {
        lines_.problem(profile.name, current.error().message);
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
      lines_.problem(profile, validity, "see that the agent runs");
      examine_agent(profile, *device.snapshot);
    } else {
      lines_.ok(profile, validity);
      if (!has_agent(profile))
        lines_.off(profile, no_agent() + ", so nobody will renew the certificate", kInstallAgain);
    }
    if (identity.chain.complete) {
      lines_.ok(profile, "the chain is complete, up to \"" + name_of(identity.chain.last(leaf)) + '"');
    } else {
      lines_.problem(
          profile,
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
      lines_.problem(profile, identity.location + " needs its password before the key can be used",
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
    if (!audited) return lines_.problem(profile, audited.error().message);
    const auto length = identity.key->sign(scheme, input, signature);
    if (!length) {
      return lines_.problem(profile, "the key does not sign: " + length.error().message,
                            length.error().code == ErrorCode::kAccessDenied ? kRefusedKey : "");
    }
    if (!key.verify(scheme, input, ByteView(signature).first(*length))) {
      return lines_.problem(profile, "what the key signs does not verify with its certificate",
                            "have the agent enrol the device again");
    }
    lines_.ok(profile, "the key (" + key_text(key) + ") is the certificate's, and signs");
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
      lines_.problem(profile,
                     fmt::format("{} has another valid certificate; the newest counts, which is the one in {}", place,
                                 current.location),
                     "where that is wrong, name the right store alone as [[store]] in the configuration");
    }
  }

  static bool has_agent(const std::string& profile) { return profile != "jumpcloud" || exists(jumpcloud_folder()); }
  static std::string no_agent() {
    return fmt::format("JumpCloud's agent is not on this machine ({} is missing)", jumpcloud_folder());
  }

  /// Why nobody renews.
  void examine_agent(const std::string& profile, const Snapshot& snapshot) {
    if (!has_agent(profile)) {
      return lines_.problem(profile, no_agent() + ", so nobody renews the certificate", kInstallAgain);
    }
    const auto& identities = snapshot.identities(profile);
    if (identities.empty()) return;
    const Certificate& newest = *identities.front()->leaf;
    if (now_ - newest.not_after() > newest.not_after() - newest.not_before()) {
      lines_.problem(profile, "the certificate expired so long ago that its agent seems to be gone", kInstallAgain);
    }
  }

  void examine_module() {
    const auto path = module_path();
    if (!path) return lines_.problem("module", path.error().message);
    const SharedLibrary module(*path);
    if (!module) {
      lines_.problem("module", *path + " cannot be loaded: " + module.why_not(), "install devtrust again");
    } else if (!module.exports("C_GetFunctionList")) {
      lines_.problem("module", *path + " is no PKCS#11 module", "install devtrust again");
    } else {
      lines_.ok("module", *path + " loads");
    }
  }

  void examine_provider() {
    const auto path = provider_path();
    if (!path) return lines_.problem("provider", path.error().message);
    const auto listed = cli::run({openssl_program(), "list", "-providers"});
    if (!listed)
      return lines_.off("provider", "the openssl program is not installed, so it was not tried", kHowToGetOpenssl);
    if (listed->code != 0) {
      return lines_.problem("provider", "openssl does not start with its configuration: " + first_line(listed->errors),
                            "see what OPENSSL_CONF, or the system's openssl.cnf, names");
    }
    const std::string folder = text_of(path_of(*path).parent_path());
    const auto loaded = cli::run({openssl_program(), "list", "-providers", "-provider-path", folder, "-provider",
                                  "devtrust", "-provider", "default"});
    if (!loaded || loaded->code != 0) {
      return lines_.problem("provider",
                            *path + " cannot be loaded" + (loaded ? ": " + first_line(loaded->errors) : std::string()),
                            "install devtrust again");
    }
    if (!lists_devtrust(listed->output)) return examine_openssl_conf(*path);
    lines_.ok("provider", *path + " is active");
  }

  /// Why OpenSSL does not load the provider that can be loaded: it passes over one that is not there, in silence.
  void examine_openssl_conf(const std::string& provider) {
    const std::string read = openssl_conf_file();
    const std::string own = user_openssl_conf();
    for (const std::string& file : {read, own}) {
      const std::string named = provider_named_in(file);
      if (named.empty() || is_readable(named)) continue;
      return lines_.problem(
          "provider", fmt::format("{} names {}, which is not there", file, named),
          file == system_openssl_conf() ? "as root: devtrust setup openssl --system" : "devtrust setup openssl");
    }
    if (read != own && !provider_named_in(own).empty()) {
      return lines_.off("provider", provider + " is set up in " + own + ", which this session does not read",
                        how_to_set("OPENSSL_CONF", own));
    }
    lines_.off("provider", provider + " loads; OpenSSL's programs are not told of it",
               "devtrust setup openssl, or run a program with `devtrust exec`");
  }

  void examine_git() {
    const auto listed = cli::run({"git", "config", "--list"});
    if (!listed) return lines_.off("git", "is not installed", {});
    if (listed->code != 0) {
      return lines_.problem("git", "does not start with its configuration: " + first_line(listed->errors),
                            "mend that file first");
    }
    const auto format = setting("gpg.format");
    if (*format != "x509") return lines_.off("git", "does not sign with the device certificate", "devtrust setup git");
    const std::string program = setting("gpg.x509.program")->empty() ? "gpgsm" : *setting("gpg.x509.program");
    if (program.find("devtrust-smimesign") == std::string::npos) {
      return lines_.off("git", "signs by another program, " + program, "devtrust setup git");
    }
    if (locked_) return lines_.off("git", "is set up; it was not tried, since it would ask for the password", {});
    const std::string key = *setting("user.signingKey");
    const std::string data = "devtrust doctor\n";
    const auto made = cli::run({program, "-bsau", key.empty() ? "devtrust:" : key}, data);
    if (!made || made->code != 0) {
      return lines_.problem("git", "cannot sign: " + (made ? said(made->errors) : made.error().message),
                            made ? "" : "devtrust setup git");
    }
    lines_.ok("git", "signs, as \"" + (key.empty() ? "devtrust:" : key) + '"');
    examine_trust(program, made->output, data);
  }

  void examine_trust(const std::string& program, const std::string& signature, const std::string& data) {
    const TemporaryFile file("doctor", signature);
    if (file.path().empty())
      return lines_.problem("git", temporary_folder() + " cannot be written to, so that nothing was verified");
    const auto verified = cli::run({program, "--status-fd=1", "--verify", file.path(), "-"}, data);
    if (verified && verified->code == 0) return lines_.ok("git", "verifies what it signs, and trusts it");
    lines_.problem(
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

  /// The last thing that our own program complained of, without its name.
  static std::string said(const std::string& text) {
    std::string line = text.substr(0, text.find_last_not_of('\n') + 1);
    line.erase(0, line.rfind('\n') + 1);
    const std::size_t colon = line.find(": ");
    return colon == std::string::npos ? line : line.substr(colon + 2);
  }

  Time now_;
  bool locked_ = false;  // a store needs a password, which we ask nobody for
  Lines lines_;
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
    text = text_of(lines, Style::of(kStandardOutput));
  }
  return print_answer(text, well ? 0 : 1);
}

}  // namespace devtrust::cli
