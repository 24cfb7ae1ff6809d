// Not compiled on other systems, and so only as well tried as the last build on macOS.
#include <bsm/libbsm.h>
#include <libproc.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "keyholder/peer.h"

namespace devtrust::keyholder {

Result<Peer> peer_of(int socket) {
  Peer peer;
  gid_t group = 0;
  if (getpeereid(socket, &peer.user, &group) != 0) {
    return fail(ErrorCode::kIo, "the kernel does not say who connected: " + std::string(std::strerror(errno)));
  }
  // The token has the version of the process number, so that no later process is taken for this one.
  audit_token_t token{};
  socklen_t size = sizeof token;
  if (getsockopt(socket, SOL_LOCAL, LOCAL_PEERTOKEN, &token, &size) != 0) return peer;
  peer.process = audit_token_to_pid(token);
  std::array<char, PROC_PIDPATHINFO_MAXSIZE> path{};
  const int length = proc_pidpath_audittoken(&token, path.data(), static_cast<std::uint32_t>(path.size()));
  if (length > 0) peer.program.assign(path.data(), static_cast<std::size_t>(length));
  return peer;
}

}  // namespace devtrust::keyholder
