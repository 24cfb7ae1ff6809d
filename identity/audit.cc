#include "identity/audit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "identity/der.h"
#include "identity/process.h"
#include "identity/timestamp.h"
#include "identity/trace.h"

namespace devtrust {
namespace {

constexpr const char* kSyslogSocket = "/dev/log";
constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

/// key="value" in ASCII, as RFC 3164 has it: nothing in a value can end it or begin another line.
std::string field(std::string_view key, std::string_view value) {
  std::string text = std::string(key) + "=\"";
  for (const char c : value) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (octet < 0x20 || octet >= 0x7F) {
      text += "\\x" + to_hex(ByteView(&octet, 1));
    } else {
      text += c;
    }
  }
  return text + "\" ";
}

Result<void> failed(const std::string& what) {
  return fail(ErrorCode::kAuditFailed, "the audit line cannot be written to " + what + ": " + std::strerror(errno));
}

/// No line: only sees whether one could be written.
Result<void> append(const std::string& path, const std::optional<std::string>& line) {
  const int file =
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
  if (file < 0) return failed(path);
  struct stat status {};
  const char* objection = nullptr;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    objection = "it is not a regular file";
  } else if (status.st_uid != 0 && status.st_uid != geteuid()) {
    objection = "it belongs to another user";
  }
  if (objection != nullptr) {
    close(file);
    return fail(ErrorCode::kAuditFailed, "the audit line cannot be written to " + path + ": " + objection);
  }
  if (!line) {
    close(file);
    return {};
  }
  const std::string text = *line + '\n';
  const ssize_t written = write(file, text.data(), text.size());
  if (written >= 0 && written < static_cast<ssize_t>(text.size())) errno = ENOSPC;
  auto result = written == static_cast<ssize_t>(text.size()) ? Result<void>() : failed(path);
  close(file);
  return result;
}

Result<void> send_to(const std::string& socket_path, const std::optional<std::string>& datagram) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return failed(socket_path);
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const int out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (out < 0) return failed(socket_path);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  const bool done = !datagram ? connect(out, to, sizeof address) == 0
                              : sendto(out, datagram->data(), datagram->size(), MSG_NOSIGNAL, to, sizeof address) ==
                                    static_cast<ssize_t>(datagram->size());
  auto result = done ? Result<void>() : failed(socket_path);
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
        return append(path, line);
      case Kind::kSyslog:
        // RFC 3164: facility authpriv (10), severity notice (5). The header's time is local time without a zone, and
        // the daemon puts it there where it is missing; ours is in the line.
        return send_to(path, "<85>devtrust[" + std::to_string(getpid()) + "]: " + line);
      case Kind::kJournal:
        return send_to(path, "PRIORITY=5\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=devtrust\nMESSAGE=" + line + '\n');
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

Result<void> Audit::probe() const {
  if (!sink_) return {};
  return sink_->kind == Sink::Kind::kFile ? append(sink_->path, std::nullopt) : send_to(sink_->path, std::nullopt);
}

Result<void> Audit::record(std::string_view operation, const Identity& identity, std::string_view mechanism) const {
  if (!sink_) return {};
  const Certificate& leaf = *identity.leaf;
  const auto serial = der_single(leaf.serial(), der::kInteger);
  std::string line = field("time", utc_timestamp()) + field("operation", operation) + field("program", program_name()) +
                     field("pid", std::to_string(getpid())) + field("uid", std::to_string(getuid())) +
                     field("profile", identity.profile) + field("mechanism", mechanism) +
                     field("serial", serial ? to_hex(serial->content) : "") + field("sha256", to_hex(leaf.sha256())) +
                     field("store", identity.location);
  line.pop_back();
  auto written = sink_->write(line);
  if (written) return {};
  if (trace_enabled()) trace(written.error().message);
  if (!required_) return {};
  return written;
}

}  // namespace devtrust
