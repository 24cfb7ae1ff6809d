#include <algorithm>

#include "cli/credentials.h"
#include "cli/doctor_browsers.h"
#include "cli/doctor_programs.h"
#include "cli/file_system.h"
#include "cli/programs.h"
#include "cli/setup/curl.h"
#include "cli/setup/gpgsm.h"
#include "cli/setup/plan.h"
#include "cli/subprocess.h"
#include "identity/certificate_text.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

void examine_curl(Lines& lines) {
  if (!curl_is_set_up()) return lines.off("curl", "has no files of the certificate", "devtrust setup curl");
  const std::string folder = pem_folder();
  const auto chain = read_if_there(folder + "/chain.pem");
  const auto key = read_if_there(folder + "/key.pem");
  for (const auto* file : {&chain, &key}) {
    if (!*file) return lines.problem("curl", file->error().message);
    if (!**file) return lines.problem("curl", folder + " has no chain.pem and key.pem any more", "devtrust setup curl");
  }
  if (const auto provider = std::ranges::find(lines.all(), "provider", &Line::subject);
      provider != lines.all().end() && provider->finding != Finding::kOk && !provider->cure.empty()) {
    return lines.problem("curl", "cannot use the key, since OpenSSL does not load the provider", provider->cure);
  }
  const auto current = pem_files({});
  // Which profile setup was given is not asked again: its key.pem names it.
  if (current && **key == current->key && **chain != current->chain) {
    return lines.problem("curl", folder + "/chain.pem is not of the current certificate",
                         "devtrust setup curl, and see systemctl --user status devtrust-refresh.path for why");
  }
  const auto failed = cli::run({"systemctl", "--user", "is-failed", "devtrust-refresh.service"});
  if (current && failed && failed->code == 0) {
    return lines.problem("curl", "the last run of devtrust-refresh.service failed",
                         "systemctl --user restart devtrust-refresh.service, and see its status");
  }
  const auto active = cli::run({"systemctl", "--user", "is-active", "devtrust-refresh.path"});
  if (active && active->output == "inactive\n") {
    return lines.problem("curl", "devtrust-refresh.path does not run, so nobody writes chain.pem anew",
                         "systemctl --user start devtrust-refresh.path devtrust-refresh.timer");
  }
  lines.ok("curl", "has the current certificate in " + folder);
}

void examine_gpgsm_keyring(const GpgsmSettings& settings, const Identity& identity, Lines& lines) {
  if (identity.chain.complete) {
    const Certificate& root = identity.chain.last(*identity.leaf);
    if (!settings.trusts(root)) {
      return lines.problem("gpgsm", "does not trust the root of the certificate's chain, \"" + name_of(root) + '"',
                           "devtrust setup gpgsm");
    }
  }
  const auto listed = cli::run({"gpgsm", "--with-colons", "-k", "0x" + sha1_fingerprint(*identity.leaf)});
  if (!listed || listed->code != 0) {
    return lines.problem(
        "gpgsm",
        "does not start with its configuration: " + (listed ? first_line(listed->errors) : listed.error().message),
        "mend that file first");
  }
  if (listed->output.find("\nfpr:") == std::string::npos)
    return lines.problem("gpgsm", "has not learned the current certificate", kLearnCommand);
  lines.ok("gpgsm", "offers the device's key");
}

void examine_gpgsm(const Snapshot& snapshot, Lines& lines) {
  if (!is_installed(kCardDaemon)) return lines.off("gpgsm", std::string(kCardDaemon) + " is not installed", {});
  if (!is_installed("gpgsm")) return lines.off("gpgsm", "is not installed", {});
  const auto settings = gpgsm_settings();
  if (!settings) return lines.problem("gpgsm", settings.error().message);
  const std::string& program = settings->card_daemon;
  const auto current = select_current(snapshot, {}, current_time());
  if (current && !usable_by_gpgsm(*(*current)->leaf)) {
    return lines.off("gpgsm", "cannot use the device's key, which is none of RSA", {});
  }
  if (program.empty()) return lines.off("gpgsm", "does not offer the device's key", "devtrust setup gpgsm");
  if (!program.ends_with(kCardDaemon)) {
    return lines.off("gpgsm", "uses another card daemon, " + program,
                     "take that scdaemon-program out of gpg-agent.conf, then: devtrust setup gpgsm");
  }
  for (const std::string& file : {program, settings->module}) {
    if (!file.empty() && !is_readable(file))
      return lines.problem("gpgsm", "is to load " + file + ", which is not there", "devtrust setup gpgsm");
  }
  if (settings->module.empty()) return lines.off("gpgsm", "does not offer the device's key", "devtrust setup gpgsm");
  if (current) examine_gpgsm_keyring(*settings, **current, lines);
}

}  // namespace

const char* const kNoStore = "none of the usual places has an NSS database";
const char* const kInstallAgain =
    "install the agent again; where the device was removed on purpose, delete the certificate with certutil -F";
const char* const kRefusedKey = "";
std::string jumpcloud_folder() { return "/opt/jc"; }

void examine_programs(const Device* device, Lines& lines) {
  examine_curl(lines);
  examine_ssh(lines);
  if (device != nullptr) examine_gpgsm(*device->snapshot, lines);
  std::vector<Line> browsers;
  examine_firefox(device != nullptr ? device->snapshot.get() : nullptr, browsers);
  examine_chromium(device, browsers);
  examine_confined(browsers);
  lines.add(std::move(browsers));
}

}  // namespace devtrust::cli
