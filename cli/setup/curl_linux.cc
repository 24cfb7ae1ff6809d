#include <array>

#include "cli/credentials.h"
#include "cli/device.h"
#include "cli/openssl_conf.h"
#include "cli/programs.h"
#include "cli/setup/curl.h"
#include "cli/setup/openssl.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

constexpr std::array<const char*, 2> kPemFiles{"/chain.pem", "/key.pem"};

struct OwnFile {
  std::string path, lines;
};

std::string units() { return config_home() + "/systemd/user"; }

/// In double quotes, as curl's configuration has it.
std::string quoted_for_curl(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// systemd.unit(5): `%` begins a specifier.
std::string unit_path(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '%' ? std::string("%%") : std::string(1, c);
  return out;
}

/// systemd.service(5): a word of a command line.
std::string unit_word(std::string_view text) {
  std::string out = "\"";
  for (const char c : unit_path(text)) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '$') out += '$';
    out += c;
  }
  return out + '"';
}

/// Those of the stores that hold something now, and the usual one, which may be made later.
std::string watched_files(const Device& device) {
  std::vector<std::string> folders{home_directory() + "/.pki/nssdb"};
  std::string lines;
  for (const StoreReport& report : device.snapshot->reports()) {
    if (!report.found && !report.explicitly_configured) continue;
    if (report.kind == "file") lines += "PathModified=" + unit_path(report.location) + '\n';
    if (report.kind == "nss" && report.location != folders.front()) folders.push_back(report.location);
  }
  for (const std::string& folder : folders) {
    for (const char* name : {"/cert9.db", "/key4.db"}) lines += "PathModified=" + unit_path(folder + name) + '\n';
  }
  return lines;
}

std::string refresh_command(const std::string& program, const std::string& profile,
                            std::string (*quoted)(std::string_view)) {
  return quoted(program) + " pem" + (profile.empty() ? "" : " --profile " + quoted(profile)) + " --output " +
         quoted(pem_folder());
}

/// Units that write the files anew when a store has changed, at login, and four times a day.
std::vector<OwnFile> unit_files(const Device& device, const std::string& program, const std::string& profile) {
  // Key and certificate are committed one after the other: when the service starts, after the first, the second is
  // a moment away.
  return {{units() + "/devtrust-refresh.service",
           "[Unit]\nDescription=chain.pem and key.pem of the device-trust certificate\n[Service]\nType=oneshot\n"
           "ExecStartPre=sleep 5\nExecStart=" +
               refresh_command(program, profile, unit_word) + '\n'},
          {units() + "/devtrust-refresh.path",
           "[Unit]\nDescription=Renewal of the device-trust certificate\n[Path]\n" + watched_files(device)},
          {units() + "/devtrust-refresh.timer",
           "[Unit]\nDescription=chain.pem of the device-trust certificate, at login and now and then\n[Timer]\n"
           "OnActiveSec=0\nOnUnitInactiveSec=6h\n"},
          // What `systemctl enable` says by links, as a file.
          {units() + "/default.target.d/devtrust-refresh.conf",
           "[Unit]\nWants=devtrust-refresh.path devtrust-refresh.timer\n"}};
}

/// curl and OpenSSL are asked, so that no setup is made that would have no effect. Answers whether this session's
/// OpenSSL loads the provider; where it does not, the next one's does.
Result<bool> check_programs() {
  const auto version = run({"curl", "--version"});
  if (!version || version->code != 0) return fail(ErrorCode::kNotFound, "curl does not start: install curl first");
  if (version->output.find("OpenSSL/") == std::string::npos) {
    return fail(ErrorCode::kUnsupported,
                "this curl does not use OpenSSL, so it cannot use the key: install the distribution's own; nothing "
                "was changed");
  }
  const auto loads = [](const Variables& variables) {
    const auto listed = run({"openssl", "list", "-providers"}, {}, variables);
    return listed && listed->code == 0 && lists_devtrust(listed->output);
  };
  if (loads({})) return true;
  if (loads({{"OPENSSL_CONF", user_openssl_conf()}})) return false;
  return fail(ErrorCode::kNotFound,
              "OpenSSL does not load the provider, without which curl cannot use the key: run `devtrust setup openssl` "
              "first; nothing was changed");
}

constexpr const char *kPathUnit = "devtrust-refresh.path", *kTimerUnit = "devtrust-refresh.timer";

// Where there is no manager of the user's that runs, the next one reads the units at the login.
void start_units() {
  (void)run({"systemctl", "--user", "daemon-reload"});
  (void)run({"systemctl", "--user", "start", kPathUnit, kTimerUnit});
}

/// Before the manager learns that the files are gone: it calls a timer without a file failed.
void stop_units() {
  (void)run({"systemctl", "--user", "stop", kPathUnit, kTimerUnit});
  (void)run({"systemctl", "--user", "daemon-reload"});
}

}  // namespace

std::string pem_folder() {
  const std::string data = environment("XDG_DATA_HOME");
  return (data.empty() ? home_directory() + "/.local/share" : data) + "/devtrust";
}

Result<Plan> plan_curl_setup(const SetupOptions& options) {
  if (options.system) return curl_is_each_users();
  if (home_directory().empty())
    return fail(ErrorCode::kNotFound, "this user has no home directory, where the files for curl would be");
  const auto program = program_path("devtrust");
  if (!program) return fail(program);
  const auto now = check_programs();
  if (!now) return fail(now);
  const auto device = open_device();
  if (!device) return fail(device);
  const auto files = pem_files(options.profile);
  if (!files) return fail(files);

  const bool manager = is_installed("systemctl");
  const std::string folder = pem_folder();
  const std::string configuration = curl_configuration();
  std::vector<OwnFile> own{{configuration, "cert = " + quoted_for_curl(folder + "/chain.pem") +
                                               "\nkey = " + quoted_for_curl(folder + "/key.pem") + '\n'}};
  if (manager) {
    for (OwnFile& unit : unit_files(*device, *program, options.profile)) own.push_back(std::move(unit));
  }
  Plan plan;
  for (std::size_t i = 0; i < kPemFiles.size(); ++i) {
    const std::string path = folder + kPemFiles[i];
    auto before = read_if_there(path);
    if (!before) return fail(before);
    if (*before && !curl_is_set_up()) return made_by_hand(path);
    const bool key = i == 1;
    plan.changes.push_back({path, std::move(*before), key ? files->key : files->chain, key ? 0600U : 0644U, false});
  }
  for (const OwnFile& file : own) {
    if (auto put = put_curl_file(plan, file.path, file.lines); !put) return fail(put);
  }
  plan.done.push_back(folder + ": chain.pem and key.pem, which names the key");
  plan.done.push_back(configuration + ": both, for curl");
  const std::string refresh = refresh_command(*program, options.profile, quoted_word);
  if (manager) {
    plan.done.push_back(units() + ": devtrust-refresh, which writes them anew after a renewal");
    plan.afterwards = start_units;
    if (const auto asked = run({"systemctl", "--user", "show-environment"}); !asked || asked->code != 0)
      plan.notes.push_back("They are written anew after renewals from the next login on. Until then: " + refresh);
  } else {
    plan.notes.push_back("There is no systemd here to write them anew: have this run every hour, by cron: " + refresh);
  }
  plan.notes.push_back("Use it with: curl --config " + quoted_word(configuration) +
                       " https://… All other calls of curl stay as they are.");
  if (!*now) {
    plan.notes.push_back(
        "OpenSSL loads the provider from the next login on. In a shell that runs already: export "
        "OPENSSL_CONF=" +
        quoted_word(user_openssl_conf()));
  }
  return plan;
}

Result<Plan> plan_curl_unsetup(const SetupOptions& options) {
  Plan plan;
  if (options.system || home_directory().empty()) return plan;  // there never is any
  // Before the configuration that says that they are ours.
  for (const char* name : kPemFiles) {
    if (!curl_is_set_up()) break;
    const std::string path = pem_folder() + name;
    auto before = read_if_there(path);
    if (!before) return fail(before);
    if (!*before) continue;
    plan.changes.push_back({path, std::move(*before), std::nullopt, 0644, false});
    plan.done.push_back(path + ": deleted, since it was ours alone");
  }
  const std::string folder = units();
  for (const std::string& path :
       {folder + "/default.target.d/devtrust-refresh.conf", folder + "/devtrust-refresh.timer",
        folder + "/devtrust-refresh.path", folder + "/devtrust-refresh.service", curl_configuration()}) {
    if (auto taken = plan.take(kCurlBlock, path); !taken) return fail(taken);
  }
  if (!plan.changes.empty() && is_installed("systemctl")) plan.afterwards = stop_units;
  return plan;
}

}  // namespace devtrust::cli
