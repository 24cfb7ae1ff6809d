// Not compiled on other systems, and so only as well tried as the last build on macOS.
#include <fcntl.h>

#include <array>

#include "identity/audit_service.h"
#include "identity/audit_socket.h"

namespace devtrust {
namespace {

constexpr std::array<std::string_view, 1> kServices{"syslog:"};

}  // namespace

const char* const kSyslogSocket = "/var/run/syslog";

std::span<const std::string_view> audit_services() { return kServices; }

int open_audit_socket() {
  const int made = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (made < 0) return made;
  const int quiet = 1;
  setsockopt(made, SOL_SOCKET, SO_NOSIGPIPE, &quiet, sizeof quiet);
  fcntl(made, F_SETFD, FD_CLOEXEC);
  fcntl(made, F_SETFL, O_NONBLOCK);
  return made;
}

ssize_t send_datagram(int socket, std::string_view datagram, const sockaddr* to, socklen_t size) {
  return sendto(socket, datagram.data(), datagram.size(), 0, to, size);
}

}  // namespace devtrust
