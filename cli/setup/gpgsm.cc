#include "cli/setup/gpgsm.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include <fmt/format.h>

#include "cli/device.h"
#include "cli/files.h"
#include "cli/programs.h"
#include "cli/subprocess.h"
#include "identity/certificate_text.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

const MarkedBlock kBlock("gpgsm");

constexpr const char* kSystemRoots = "/etc/gnupg/trustlist.txt";

struct Files {
  std::string agent, card_daemon, gpgsm, roots;

  std::vector<std::string> all() const { return {agent, card_daemon, gpgsm, roots}; }
};

const Files kSystemFiles{"/etc/gnupg/gpg-agent.conf", "/etc/gnupg-pkcs11-scd.conf", "/etc/gnupg/gpgsm.conf",
                         kSystemRoots};

Result<Files> files_of(bool system) {
  if (system) return kSystemFiles;
  std::string folder = environment("GNUPGHOME");
  std::error_code error;
  if (!folder.empty()) {
    folder = fs::absolute(folder, error).string();
  } else if (const std::string home = home_directory(); !home.empty()) {
    folder = home + "/.gnupg";
  } else {
    return fail(ErrorCode::kNotFound, "this user has no home directory, where GnuPG's configuration would be");
  }
  return Files{folder + "/gpg-agent.conf", folder + "/gnupg-pkcs11-scd.conf", folder + "/gpgsm.conf",
               folder + "/trustlist.txt"};
}

/// What a line of `text` gives to `key`, the last where there are several; nothing where there is none.
std::optional<std::string> setting(std::string_view text, std::string_view key) {
  constexpr std::string_view kBlank = " \t\r";
  std::optional<std::string> value;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(kBlank)));
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    if (!line.empty() && kBlank.find(line.front()) == std::string_view::npos) continue;
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(kBlank)));
    value = std::string(line.substr(0, line.find_last_not_of(kBlank) + 1));
  }
  return value;
}

/// What the user wrote there by himself.
Result<std::string> own_text(const std::string& path) {
  const auto text = read_if_there(path);
  if (!text) return fail(text);
  auto rest = kBlock.without(text->value_or(""));
  if (!rest) return fail(rest.error().code, path + ": " + rest.error().message);
  return rest->value_or("");
}

/// What another setting in the file would keep ours from.
Result<void> check_own_settings(const Files& files) {
  const auto agent = own_text(files.agent);
  if (!agent) return fail(agent);
  if (const auto other = setting(*agent, "scdaemon-program")) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("{} sets scdaemon-program to \"{}\", and gpg-agent has one card daemon only: take that out first; "
                    "nothing was changed",
                    files.agent, *other));
  }
  if (setting(*agent, "disable-scdaemon")) {
    return fail(ErrorCode::kInvalidConfig,
                files.agent + " has disable-scdaemon, and so no card daemon: take that out first; nothing was changed");
  }
  const auto card_daemon = own_text(files.card_daemon);
  if (!card_daemon) return fail(card_daemon);
  if (const auto other = setting(*card_daemon, "providers")) {
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("{} sets providers to \"{}\", and only one such line counts: take that out first; nothing "
                            "was changed",
                            files.card_daemon, *other));
  }
  return {};
}

/// The program itself is asked whether it can read the file; of a copy, since nothing is written yet.
Result<void> check_syntax(const char* program, const FileChange& change) {
  const TemporaryFile copy("gnupg.conf", *change.after);
  if (copy.path().empty()) return fail(ErrorCode::kIo, temporary_folder() + " cannot be written to");
  const auto ended = run({program, "--options", copy.path(), "--gpgconf-test"});
  if (!ended) return fail(ended.error().code, ended.error().message + ": install gpgsm first");
  // It ends with 0 where a line means nothing to it, and says which.
  const std::string mark = copy.path() + ':';
  const std::size_t at = ended->errors.find(mark);
  if (at == std::string::npos) return {};
  const std::size_t reason = at + mark.size();
  return fail(ErrorCode::kCorrupt,
              fmt::format("{} cannot read {} (line {}): mend it first; nothing was changed", program, change.path,
                          ended->errors.substr(reason, ended->errors.find('\n', at) - reason)));
}

std::string fingerprint_of(const Certificate& certificate) {
  std::string text = sha1_fingerprint(certificate);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// Whether a line of the trust list, which may have colons and small letters, names the root.
bool names_root(std::string_view list, const Certificate& root) {
  const std::string wanted = fingerprint_of(root);
  while (!list.empty()) {
    const std::string_view line = list.substr(0, list.find('\n'));
    list.remove_prefix(std::min(list.size(), line.size() + 1));
    std::string digits;
    for (const char c : line) {
      if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
        digits += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      } else if (c != ':') {
        if (!digits.empty() || (c != ' ' && c != '!')) break;  // '!': it is not to be trusted
      }
    }
    if (digits == wanted) return true;
  }
  return false;
}

Result<void> plan_trust(const Files& files, const Identity& identity, bool system, Plan& plan) {
  if (auto put = plan.put(kBlock, files.gpgsm, "disable-crl-checks\n", 0600, system); !put) return fail(put);
  if (auto readable = check_syntax("gpgsm", plan.changes.back()); !readable) return fail(readable);
  plan.done.push_back(files.gpgsm + ": disable-crl-checks");
  if (!identity.chain.complete) {
    plan.notes.push_back("note: the store holds no root for \"" + name_of(*identity.leaf) +
                         "\", so gpgsm cannot sign with it: get the root from your administrator, import it with "
                         "`gpgsm --import`, and name it in " +
                         files.roots);
    return {};
  }
  const Certificate& root = identity.chain.last(*identity.leaf);
  const auto own = own_text(files.roots);
  if (!own) return fail(own);
  if (names_root(*own, root)) return {};
  const auto before = read_if_there(files.roots);
  if (!before) return fail(before);
  const auto known = kBlock.find(before->value_or(""));
  if (!known) return fail(known);
  std::string lines = known->value_or("");
  std::error_code error;
  // A list of the user's own keeps gpg-agent from the machine's, unless it says so.
  if (!*before && !system && fs::exists(kSystemRoots, error)) lines += "include-default\n";
  // Earlier roots of ours stay: what was signed under them is still to be verified.
  if (!names_root(lines, root)) lines += fingerprint_of(root) + " S relax\n";
  if (auto put = plan.put(kBlock, files.roots, lines, 0600, system); !put) return fail(put);
  plan.done.push_back(files.roots + ": added the root \"" + name_of(root) + '"');
  plan.done.push_back("SHA-1 " + fingerprint_of(root));
  plan.notes.push_back(
      fmt::format("gpgsm now believes any certificate under this root, and looks for no revocation lists, whatever the "
                  "certificate, for {}. Compare the fingerprint with the one that your administrator gives you. "
                  "`devtrust unsetup gpgsm` takes both away again; `--no-trust` leaves them out.",
                  system ? "every user here" : "you"));
  return {};
}

}  // namespace

bool usable_by_gpgsm(const Certificate& leaf) {
  return leaf.public_key().type() == KeyType::kRsa && !leaf.for_pss_only();
}

bool GpgsmSettings::trusts(const Certificate& root) const { return names_root(roots, root); }

Result<GpgsmSettings> gpgsm_settings() {
  const auto own = files_of(false);
  if (!own) return fail(own);
  GpgsmSettings settings;
  // The user's files count more than the machine's; of gnupg-pkcs11-scd's and of the trust lists only one is read.
  for (const Files* files : {&kSystemFiles, &*own}) {
    const auto agent = read_if_there(files->agent);
    const auto card_daemon = read_if_there(files->card_daemon);
    const auto roots = read_if_there(files->roots);
    if (agent && *agent) settings.card_daemon = setting(**agent, "scdaemon-program").value_or(settings.card_daemon);
    if (card_daemon && *card_daemon) {
      settings.module = setting(**card_daemon, "provider-devtrust-library").value_or("");
    }
    if (roots && *roots) {
      settings.roots = (setting(**roots, "include-default") ? settings.roots + '\n' : std::string()) + **roots;
    }
  }
  return settings;
}

Result<Plan> plan_gpgsm_setup(const SetupOptions& options) {
  const std::string card_daemon = installed_path(kCardDaemon);
  if (card_daemon.empty())
    return fail(ErrorCode::kNotFound, std::string(kCardDaemon) + " is not installed: install it first");
  const auto module = module_path();
  if (!module) return fail(module);
  const auto device = open_device();
  if (!device) return fail(device);
  const auto identity = select_current(*device->snapshot, options.profile, current_time());
  if (!identity) return fail(identity);
  if (!usable_by_gpgsm(*(*identity)->leaf)) {
    return fail(ErrorCode::kUnsupported, "gnupg-pkcs11-scd offers RSA keys only, and the key of \"" +
                                             name_of(*(*identity)->leaf) +
                                             "\" is of another kind: sign with `devtrust setup git` instead");
  }
  const auto files = files_of(options.system);
  if (!files) return fail(files);
  if (auto free = check_own_settings(*files); !free) return fail(free);

  Plan plan;
  if (auto put = plan.put(kBlock, files->agent, "scdaemon-program " + card_daemon + '\n', 0600, options.system); !put)
    return fail(put);
  if (auto readable = check_syntax("gpg-agent", plan.changes.back()); !readable) return fail(readable);
  plan.done.push_back(files->agent + ": scdaemon-program " + card_daemon);
  const std::string lines = "providers devtrust\nprovider-devtrust-library " + *module + '\n';
  if (auto put = plan.put(kBlock, files->card_daemon, lines, 0600, options.system); !put) return fail(put);
  plan.done.push_back(files->card_daemon + ": providers devtrust, provider-devtrust-library " + *module);
  if (!options.no_trust) {
    if (auto trusted = plan_trust(*files, **identity, options.system, plan); !trusted) return fail(trusted);
  }
  // Its own keyring is gpgsm's to write: what changes there no diff could show, and `unsetup` not undo.
  plan.notes.push_back(
      std::string("gpgsm has to learn the certificate, now and after each renewal: ") + kLearnCommand +
      ". `gpgsm -K` then shows its fingerprint, which git's user.signingKey names when gpgsm signs. GnuPG reaches no "
      "other smart card as long as this is set up.");
  plan.notes.emplace_back(
      "GnuPG 2.2 puts a zero byte before some signatures of a card: gpgsm takes them as good, and OpenSSL does not. "
      "`devtrust setup git` signs without GnuPG.");
  return plan;
}

Result<Plan> plan_gpgsm_unsetup(const SetupOptions& options) {
  Plan plan;
  const auto files = files_of(options.system);
  if (!files) return fail(files);
  for (const std::string& file : files->all()) {
    if (auto taken = plan.take(kBlock, file); !taken) return fail(taken);
  }
  if (!plan.changes.empty())
    plan.notes.emplace_back("A gpg-agent that runs takes notice after: gpgconf --kill gpg-agent");
  return plan;
}

}  // namespace devtrust::cli
