// Not compiled on other systems, and so only as well tried as the last build on macOS.
#include <libproc.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "identity/process.h"

namespace devtrust {

bool raised_privileges() {
  // issetugid also tells of a process that has changed its user since.
  return issetugid() != 0 || getuid() != geteuid() || getgid() != getegid();
}

std::string program_name() {
  std::array<char, PROC_PIDPATHINFO_MAXSIZE> path{};
  const int length = proc_pidpath(getpid(), path.data(), static_cast<std::uint32_t>(path.size()));
  const std::string_view program =
      length > 0 ? std::string_view(path.data(), static_cast<std::size_t>(length)) : getprogname();
  return std::string(program.substr(program.rfind('/') + 1));
}

std::uint64_t thread_id() {
  std::uint64_t id = 0;
  pthread_threadid_np(nullptr, &id);
  return id;
}

}  // namespace devtrust
