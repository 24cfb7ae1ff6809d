#include "cli/setup/ssh.h"

#include <filesystem>

#include <fmt/format.h>

#include "cli/files.h"
#include "cli/programs.h"
#include "cli/setup/system_folders.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

const MarkedBlock kBlock("ssh");

/// ssh_config(5)
Result<std::string> config_file(bool system) {
  std::error_code error;
  if (system) {
    const std::string folder = ssh_system_folder();
    return folder + (fs::is_directory(folder + "/ssh_config.d", error) ? "/ssh_config.d/devtrust.conf" : "/ssh_config");
  }
  // Not $HOME: ssh does not look at it.
  const std::string home = account_home();
  if (home.empty())
    return fail(ErrorCode::kNotFound, "this user has no home directory, where ssh's configuration would be");
  return home + "/.ssh/config";
}

/// Whether ssh reads the file, and takes this module for any host; in a copy, since nothing is written yet.
Result<void> check_effect(const std::string& path, const std::string& content, const std::string& module) {
  const TemporaryFile copy("ssh-config", content);
  if (copy.path().empty()) return fail(ErrorCode::kIo, temporary_folder() + " cannot be written to");
  const auto ended = run({"ssh", "-G", "-F", copy.path(), "devtrust.invalid"});
  if (!ended) return fail(ended.error().code, ended.error().message + ": install the ssh client first");
  if (ended->code != 0) {
    std::string reason = ended->errors.substr(0, ended->errors.find('\n'));
    return fail(ErrorCode::kCorrupt,
                "ssh cannot read " + path + " (" + reason + "): mend it first; nothing was changed");
  }
  const std::string value = ssh_module(ended->output);
  if (value == module) return {};
  return fail(ErrorCode::kInvalidConfig,
              fmt::format("{} sets PKCS11Provider to \"{}\" before our lines, and ssh takes the first: take that out; "
                          "nothing was changed",
                          path, value));
}

}  // namespace

std::string ssh_module(const std::string& settings) {
  constexpr std::string_view kKey = "\npkcs11provider ";
  const std::size_t at = settings.find(kKey);
  if (at == std::string::npos) return {};
  const std::string value = settings.substr(at + kKey.size(), settings.find('\n', at + 1) - at - kKey.size());
  return value == "none" ? std::string() : value;
}

std::string load_failure(const std::string& errors) {
  constexpr std::string_view kFailed = " failed: ";
  if (!errors.starts_with("dlopen ")) return {};
  const std::string line = errors.substr(0, errors.find('\n'));
  const std::size_t at = line.find(kFailed);
  return at == std::string::npos ? line : line.substr(at + kFailed.size());
}

Result<Plan> plan_ssh_setup(const SetupOptions& options) {
  const auto module = module_path();
  if (!module) return fail(module);
  const auto path = config_file(options.system);
  if (!path) return fail(path);
  Plan plan;
  // At the end, and for every host: what is said before it for one host counts more.
  const std::string lines = "Host *\n    PKCS11Provider " + quoted_word(*module) + '\n';
  if (auto put = plan.put(kBlock, *path, lines, options.system ? 0644 : 0600, options.system); !put) return fail(put);
  if (auto effective = check_effect(*path, *plan.changes.back().after, *module); !effective) return fail(effective);
  if (auto can = ssh_can_load(*module); !can)
    return fail(can.error().code, can.error().message + "; nothing was changed");
  plan.done.push_back(*path + ": PKCS11Provider = " + *module);
  plan.notes.push_back("ssh offers the device's key to every host. A server knows it by the line that `ssh-keygen -D " +
                       quoted_word(*module) +
                       "` prints, in ~/.ssh/authorized_keys there; the key changes with each renewal, so that line has "
                       "to follow.");
  return plan;
}

Result<Plan> plan_ssh_unsetup(const SetupOptions& options) {
  Plan plan;
  const auto path = config_file(options.system);
  if (!path) return fail(path);
  if (auto taken = plan.take(kBlock, *path); !taken) return fail(taken);
  return plan;
}

}  // namespace devtrust::cli
