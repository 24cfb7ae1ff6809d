#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "keyholder/peer.h"

namespace devtrust::keyholder {
namespace {

constexpr int kSoPeerPidFd = 77;  // SO_PEERPIDFD, since Linux 6.5; older headers lack it

/// A descriptor of the process, or -1. Where the kernel is older the number may be another process's by now, whose
/// start nothing of this betrays: who is let in by a program's name has to live with that (docs/threat-model.md).
int open_process(int socket, pid_t process) {
  int descriptor = -1;
  socklen_t size = sizeof descriptor;
  if (getsockopt(socket, SOL_SOCKET, kSoPeerPidFd, &descriptor, &size) == 0) return descriptor;
  return static_cast<int>(syscall(SYS_pidfd_open, process, 0U));
}

/// Where its program lies; empty where that is not to be known.
std::string program_of(pid_t process) {
  std::array<char, 4096> path{};
  const ssize_t length = readlink(("/proc/" + std::to_string(process) + "/exe").c_str(), path.data(), path.size());
  if (length <= 0 || static_cast<std::size_t>(length) == path.size()) return "";
  std::string_view program(path.data(), static_cast<std::size_t>(length));
  constexpr std::string_view kReplaced = " (deleted)";  // by an update, while it runs
  if (program.ends_with(kReplaced)) program.remove_suffix(kReplaced.size());
  return std::string(program);
}

}  // namespace

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail(ErrorCode::kIo, "the kernel does not say who connected: " + std::string(std::strerror(errno)));
  }
  Peer peer{credentials.uid, credentials.pid, ""};
  if (peer.process <= 0) return peer;  // in a namespace that does not show here
  const int process = open_process(socket, peer.process);
  if (process < 0) return peer;
  peer.program = program_of(peer.process);
  // The number was this process's all the time only if it lives still.
  pollfd ended{process, POLLIN, 0};
  if (poll(&ended, 1, 0) != 0) peer.program.clear();
  close(process);
  return peer;
}

}  // namespace devtrust::keyholder
