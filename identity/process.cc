#include "identity/process.h"

#include <pthread.h>
#include <pwd.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace devtrust {
namespace {

std::atomic<std::uint64_t> forks{0};

void count_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

std::string password_database_home() {
  std::vector<char> buffer(1024);
  passwd entry{};
  passwd* found = nullptr;
  while (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == ERANGE && buffer.size() < 1U << 20U) {
    buffer.resize(buffer.size() * 2);
  }
  return found != nullptr && found->pw_dir != nullptr ? found->pw_dir : "";
}

}  // namespace

bool raised_privileges() {
  // AT_SECURE also tells of file capabilities and of security modules.
  return getauxval(AT_SECURE) != 0 || getuid() != geteuid() || getgid() != getegid();
}

std::string environment(const char* name) {
  const char* value = raised_privileges() ? nullptr : std::getenv(name);
  return value != nullptr ? value : "";
}

std::string home_directory() {
  std::string home = environment("HOME");
  return home.empty() || home[0] != '/' ? password_database_home() : home;
}

std::string config_home() {
  std::string folder = environment("XDG_CONFIG_HOME");
  if (!folder.empty() && folder[0] == '/') return folder;
  const std::string home = home_directory();
  return home.empty() ? home : home + "/.config";
}

std::string expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  return home_directory() + path.substr(1);
}

std::string program_name() { return program_invocation_short_name; }

std::uint64_t fork_number() {
  static const int registered = pthread_atfork(nullptr, nullptr, count_fork);
  static_cast<void>(registered);
  return forks.load(std::memory_order_relaxed);
}

}  // namespace devtrust
