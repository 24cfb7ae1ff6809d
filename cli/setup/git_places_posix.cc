#include "cli/file_system.h"
#include "cli/setup/git_places.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

/// Where git was built to have it: Apple's and Homebrew's have it elsewhere. All versions name the file to an editor.
std::string system_config_file() {
  constexpr const char* kUsual = "/etc/gitconfig";
  const auto asked = run({"git", "config", "--system", "--edit"}, {}, {{"GIT_EDITOR", "echo"}});
  if (!asked || asked->code != 0) return kUsual;
  std::string file = asked->output.substr(0, asked->output.find('\n'));
  return is_full_path(file) ? file : kUsual;
}

}  // namespace

Result<std::string> git_config_file(bool system) {
  const std::string named = environment(system ? "GIT_CONFIG_SYSTEM" : "GIT_CONFIG_GLOBAL");
  if (!named.empty()) return full_path(expand_home(named));
  if (system) return system_config_file();
  const std::string home = home_directory();
  if (home.empty())
    return fail(ErrorCode::kNotFound, "this user has no home directory, where git's configuration would be");
  const std::string own = home + "/.gitconfig";
  const std::string xdg = config_home() + "/git/config";
  return !exists(own) && exists(xdg) ? xdg : own;
}

}  // namespace devtrust::cli
