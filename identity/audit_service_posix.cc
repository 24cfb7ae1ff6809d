#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "identity/audit_service.h"
#include "identity/audit_socket.h"
#include "identity/process.h"

namespace devtrust {
namespace {

constexpr std::string_view kSyslog = "syslog:";
constexpr std::string_view kJournal = "journal:";
constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

Result<void> send_to(const std::string& socket_path, const std::optional<std::string>& datagram) {
  const auto failed = [&socket_path] {
    return fail(ErrorCode::kAuditFailed,
                "the audit line cannot be written to " + socket_path + ": " + std::strerror(errno));
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return failed();
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const int out = open_audit_socket();
  if (out < 0) return failed();
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  const bool done = !datagram
                        ? connect(out, to, sizeof address) == 0
                        : send_datagram(out, *datagram, to, sizeof address) == static_cast<ssize_t>(datagram->size());
  auto result = done ? Result<void>() : failed();
  close(out);
  return result;
}

}  // namespace

Result<void> send_to_audit_service(const std::string& destination, const std::optional<std::string>& line) {
  const bool syslog = destination.starts_with(kSyslog);
  std::string socket_path = destination.substr(syslog ? kSyslog.size() : kJournal.size());
  if (socket_path.empty()) socket_path = syslog ? kSyslogSocket : kJournalSocket;
  if (!line) return send_to(socket_path, std::nullopt);
  if (syslog) {
    // RFC 3164: facility authpriv (10), severity notice (5). The header's time is local time without a zone, and the
    // daemon puts it there where it is missing; ours is in the line.
    return send_to(socket_path, "<85>devtrust[" + std::to_string(process_id()) + "]: " + *line);
  }
  return send_to(socket_path, "PRIORITY=5\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=devtrust\nMESSAGE=" + *line + '\n');
}

}  // namespace devtrust
