#include "cli/file_system.h"
#include "cli/setup/git_places.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

/// As Git for Windows finds it: HOME, the drive and folder that a domain gives the user, then the profile.
std::string git_home() {
  std::string home = environment("HOME");
  if (is_full_path(home)) return home;
  const std::string drive = environment("HOMEDRIVE");
  const std::string folder = environment("HOMEPATH");
  if (!drive.empty() && !folder.empty() && exists(drive + folder)) return drive + folder;
  return home_directory();
}

}  // namespace

Result<std::string> git_config_file(bool system) {
  const std::string named = environment(system ? "GIT_CONFIG_SYSTEM" : "GIT_CONFIG_GLOBAL");
  if (!named.empty()) return full_path(expand_home(named));
  if (system) {
    const auto asked = run({"git", "var", "GIT_CONFIG_SYSTEM"});
    if (!asked) return fail(asked.error().code, asked.error().message + ": install git first");
    std::string file = asked->output.substr(0, asked->output.find_first_of("\r\n"));
    if (asked->code == 0 && !file.empty()) return file;
    return fail(ErrorCode::kUnsupported,
                "this git does not say where its configuration for all users is: set GIT_CONFIG_SYSTEM to that file, "
                "or install git 2.42 or newer");
  }
  const std::string home = git_home();
  if (home.empty())
    return fail(ErrorCode::kNotFound, "this user has no home directory, where git's configuration would be");
  std::string own = text_of(path_of(home) / ".gitconfig");
  std::string named_by_xdg = environment("XDG_CONFIG_HOME");
  const std::string folder = named_by_xdg.empty() ? home + "/.config" : named_by_xdg;
  std::string xdg = text_of(path_of(folder) / "git/config");
  return !exists(own) && exists(xdg) ? xdg : own;
}

}  // namespace devtrust::cli
