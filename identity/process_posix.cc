#include "identity/process.h"

#include <dlfcn.h>
#include <pthread.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

namespace devtrust {

std::string environment(const char* name) {
  const char* value = raised_privileges() ? nullptr : std::getenv(name);
  return value != nullptr ? value : "";
}

std::string home_directory() {
  std::string home = environment("HOME");
  return home.empty() || home[0] != '/' ? account_home() : home;
}

std::string account_home() {
  std::vector<char> buffer(1024);
  passwd entry{};
  passwd* found = nullptr;
  while (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == ERANGE && buffer.size() < 1U << 20U) {
    buffer.resize(buffer.size() * 2);
  }
  return found != nullptr && found->pw_dir != nullptr ? found->pw_dir : "";
}

std::string config_home() {
  std::string folder = environment("XDG_CONFIG_HOME");
  if (!folder.empty() && folder[0] == '/') return folder;
  const std::string home = home_directory();
  return home.empty() ? home : home + "/.config";
}

std::string system_config_folder() { return "/etc/devtrust"; }

const char* const kFullPathForm = "/ or ~/";
bool is_full_path(const std::string& path) { return path.starts_with('/'); }

std::string expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const std::string home = home_directory();
  return home.empty() ? path : home + path.substr(1);
}

std::string own_file() {
  static const char anchor = 0;
  Dl_info self{};
  return dladdr(&anchor, &self) != 0 && self.dli_fname != nullptr ? self.dli_fname : "";
}

std::string user_id() { return std::to_string(getuid()); }
std::uint32_t process_id() { return static_cast<std::uint32_t>(getpid()); }

NoCancellation::NoCancellation() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
NoCancellation::~NoCancellation() { pthread_setcancelstate(before_, nullptr); }

}  // namespace devtrust
