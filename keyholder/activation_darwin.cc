// Not compiled on other systems, and so only as well tried as the last build on macOS.
#include <launch.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "keyholder/activation.h"

namespace devtrust::keyholder {

Result<std::vector<int>> inherited_sockets() {
  int* sockets = nullptr;
  std::size_t count = 0;
  const int error = launch_activate_socket("keyholder", &sockets, &count);  // as conf/launchd names it
  if (error == ESRCH || error == ENOENT) return std::vector<int>();         // not by launchd, or with no socket
  if (error != 0) {
    return fail(ErrorCode::kIo, "launchd does not hand over its socket: " + std::string(std::strerror(error)));
  }
  std::vector<int> result(sockets, sockets + count);
  std::free(sockets);
  return result;
}

}  // namespace devtrust::keyholder
