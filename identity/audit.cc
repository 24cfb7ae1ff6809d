#include "identity/audit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include "identity/process.h"
#include "identity/trace.h"

namespace devtrust {
namespace {

constexpr const char* kSyslogSocket = "/dev/log";
constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

std::string utc_now() {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm broken{};
  gmtime_r(&seconds, &broken);
  std::array<char, 24> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &broken);
  return {text.data(), length};
}

/// key="value": nothing in a value can end it or begin another line.
std::string field(std::string_view key, std::string_view value) {
  std::string text = ' ' + std::string(key) + "=\"";
  for (const char c : value) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (octet < 0x20 || octet == 0x7F) {
      text += "\\x" + to_hex(ByteView(&octet, 1));
    } else {
      text += c;
    }
  }
  return text + '"';
}

Result<void> failed(const std::string& what) {
  return fail(ErrorCode::kAuditFailed, "the audit line cannot be written to " + what + ": " + std::strerror(errno));
}

Result<void> append(const std::string& path, const std::string& line) {
  const int file =
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
  if (file < 0) return failed(path);
  struct stat status {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(file);
    return fail(ErrorCode::kAuditFailed, "the audit line cannot be written to " + path + ": it is not a regular file");
  }
  const std::string text = line + '\n';
  const ssize_t written = write(file, text.data(), text.size());
  const auto result = written == static_cast<ssize_t>(text.size()) ? Result<void>() : failed(path);
  close(file);
  return result;
}

Result<void> send_to(const std::string& socket_path, const std::string& datagram) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return failed(socket_path);
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const int out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (out < 0) return failed(socket_path);
  const ssize_t sent = sendto(out, datagram.data(), datagram.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const auto result = sent == static_cast<ssize_t>(datagram.size()) ? Result<void>() : failed(socket_path);
  close(out);
  return result;
}

}  // namespace

struct Audit::Sink {
  enum class Kind { kFile, kSyslog, kJournal } kind = Kind::kFile;
  std::string path;

  Result<void> write(const std::string& line) const {
    switch (kind) {
      case Kind::kFile:
        return append(path, utc_now() + line);
      case Kind::kSyslog:  // RFC 3164: facility authpriv (10), severity notice (5)
        return send_to(path, "<85>devtrust[" + std::to_string(getpid()) + "]:" + line);
      case Kind::kJournal:
        return send_to(
            path,
            "PRIORITY=5\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=devtrust\nMESSAGE=use of a device key:" + line + '\n');
    }
    return {};
  }
};

Audit::Audit(std::string destination, bool required) : required_(required) {
  if (destination.empty()) return;
  sink_ = std::make_unique<Sink>();
  const auto after = [&destination](std::string_view prefix, const char* usual) {
    return destination.size() > prefix.size() ? destination.substr(prefix.size()) : std::string(usual);
  };
  if (destination.starts_with("syslog:")) {
    *sink_ = {Sink::Kind::kSyslog, after("syslog:", kSyslogSocket)};
  } else if (destination.starts_with("journal:")) {
    *sink_ = {Sink::Kind::kJournal, after("journal:", kJournalSocket)};
  } else {
    *sink_ = {Sink::Kind::kFile, expand_home(destination)};
  }
}
Audit::~Audit() = default;

bool Audit::enabled() const { return sink_ != nullptr; }

Result<void> Audit::record(std::string_view operation, const Identity& identity, std::string_view mechanism) const {
  if (!sink_) return {};
  const Certificate& leaf = *identity.leaf;
  const std::string line = field("operation", operation) + field("program", program_name()) +
                           field("pid", std::to_string(getpid())) + field("uid", std::to_string(getuid())) +
                           field("profile", identity.profile) + field("mechanism", mechanism) +
                           field("serial", to_hex(leaf.serial().subspan(2))) + field("sha256", to_hex(leaf.sha256())) +
                           field("store", identity.location);
  const auto written = sink_->write(line);
  if (written) return {};
  if (trace_enabled()) trace(written.error().message);
  if (!required_) return {};
  return written;
}

}  // namespace devtrust
