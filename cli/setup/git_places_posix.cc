#include "cli/file_system.h"
#include "cli/setup/git_places.h"
#include "identity/process.h"

namespace devtrust::cli {

Result<std::string> git_config_file(bool system) {
  const std::string named = environment(system ? "GIT_CONFIG_SYSTEM" : "GIT_CONFIG_GLOBAL");
  if (!named.empty()) return full_path(expand_home(named));
  if (system) return std::string("/etc/gitconfig");
  const std::string home = home_directory();
  if (home.empty())
    return fail(ErrorCode::kNotFound, "this user has no home directory, where git's configuration would be");
  const std::string own = home + "/.gitconfig";
  const std::string xdg = config_home() + "/git/config";
  return !exists(own) && exists(xdg) ? xdg : own;
}

}  // namespace devtrust::cli
