#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "identity/process.h"

namespace devtrust {

bool raised_privileges() {
  // AT_SECURE also tells of file capabilities and of security modules.
  return getauxval(AT_SECURE) != 0 || getuid() != geteuid() || getgid() != getegid();
}

std::string program_name() {
  std::array<char, 4096> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  const std::string_view program =
      length > 0 ? std::string_view(path.data(), static_cast<std::size_t>(length)) : program_invocation_short_name;
  return std::string(program.substr(program.rfind('/') + 1));
}

std::uint64_t thread_id() { return static_cast<std::uint64_t>(syscall(SYS_gettid)); }

}  // namespace devtrust
