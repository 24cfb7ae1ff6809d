#include "identity/audit.h"

#include <algorithm>
#include <optional>

#include "identity/append_file.h"
#include "identity/audit_service.h"
#include "identity/der.h"
#include "identity/process.h"
#include "identity/timestamp.h"
#include "identity/trace.h"

namespace devtrust {
namespace {

constinit thread_local const KeyUser* acting_for = nullptr;

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

/// No line: only sees whether one could be written.
Result<void> append(const std::string& path, const std::optional<std::string>& line) {
  const auto file = AppendFile::open(path);
  auto written = !file ? Result<void>(tl::unexpected(file.error())) : line ? file->write(*line + '\n') : Result<void>();
  if (written) return {};
  return fail(ErrorCode::kAuditFailed, "the audit line cannot be written to " + path + ": " + written.error().message);
}

}  // namespace

ActingFor::ActingFor(const KeyUser& user) { acting_for = &user; }
ActingFor::~ActingFor() { acting_for = nullptr; }

struct Audit::Sink {
  std::string destination;
  bool is_file = false;

  Result<void> write(const std::optional<std::string>& line) const {
    return is_file ? append(destination, line) : send_to_audit_service(destination, line);
  }
};

Audit::Audit(std::string destination, bool required) : required_(required) {
  if (destination.empty()) return;
  const bool service = std::ranges::any_of(
      audit_services(), [&destination](std::string_view prefix) { return destination.starts_with(prefix); });
  sink_ = std::make_unique<Sink>(service ? Sink{std::move(destination)} : Sink{expand_home(destination), true});
}
Audit::~Audit() = default;

bool Audit::enabled() const { return sink_ != nullptr; }

Result<void> Audit::probe() const { return sink_ ? sink_->write(std::nullopt) : Result<void>(); }

Result<void> Audit::record(std::string_view operation, const Identity& identity, std::string_view mechanism) const {
  if (!sink_) return {};
  const Certificate& leaf = *identity.leaf;
  const auto serial = der_single(leaf.serial(), der::kInteger);
  const KeyUser user = acting_for != nullptr ? *acting_for : KeyUser{program_name(), process_id(), user_id()};
  std::string line = field("time", utc_timestamp()) + field("operation", operation) + field("program", user.program) +
                     field("pid", std::to_string(user.process)) + field("uid", user.user) +
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
