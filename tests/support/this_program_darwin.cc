// Not compiled on other systems, and so only as well tried as the last build on macOS.
#include <libproc.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "tests/support/this_program.h"

namespace devtrust::testing {

std::filesystem::path this_program() {
  std::array<char, PROC_PIDPATHINFO_MAXSIZE> path{};
  if (proc_pidpath(getpid(), path.data(), static_cast<std::uint32_t>(path.size())) <= 0) {
    throw std::runtime_error("proc_pidpath");
  }
  return path.data();
}

}  // namespace devtrust::testing
