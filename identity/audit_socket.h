// The socket that the operating system's log listens on.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <string_view>

namespace devtrust {

/// Of the syslog daemon, where nothing else is said.
extern const char* const kSyslogSocket;

/// A datagram socket that does not wait, and that no program inherits. -1: errno says why.
int open_audit_socket();
/// How many bytes were sent; -1: errno says why. Raises no signal.
ssize_t send_datagram(int socket, std::string_view datagram, const sockaddr* to, socklen_t size);

}  // namespace devtrust
