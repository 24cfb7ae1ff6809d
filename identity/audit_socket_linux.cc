#include <array>

#include "identity/audit_service.h"
#include "identity/audit_socket.h"

namespace devtrust {
namespace {

constexpr std::array<std::string_view, 2> kServices{"syslog:", "journal:"};

}  // namespace

const char* const kSyslogSocket = "/dev/log";

std::span<const std::string_view> audit_services() { return kServices; }

int open_audit_socket() { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

ssize_t send_datagram(int socket, std::string_view datagram, const sockaddr* to, socklen_t size) {
  return sendto(socket, datagram.data(), datagram.size(), MSG_NOSIGNAL, to, size);
}

}  // namespace devtrust
