#include <windows.h>

#include <array>

#include "identity/audit_service.h"
#include "identity/system_error_windows.h"
#include "identity/utf16.h"

namespace devtrust {
namespace {

constexpr std::array<std::string_view, 1> kServices{"eventlog:"};
constexpr DWORD kKeyUsed = 1;  // the event's number

}  // namespace

std::span<const std::string_view> audit_services() { return kServices; }

Result<void> send_to_audit_service(const std::string& /*destination*/, const std::optional<std::string>& line) {
  const auto failed = [] {
    return fail(ErrorCode::kAuditFailed,
                "the audit line cannot be written to the event log: " + system_message(GetLastError()));
  };
  HANDLE source = RegisterEventSourceW(nullptr, L"devtrust");
  if (source == nullptr) return failed();
  Result<void> result;
  if (line) {
    const std::wstring text = to_utf16(*line);
    const wchar_t* texts = text.c_str();
    if (ReportEventW(source, EVENTLOG_INFORMATION_TYPE, 0, kKeyUsed, nullptr, 1, 0, &texts, nullptr) == 0)
      result = failed();
  }
  DeregisterEventSource(source);
  return result;
}

}  // namespace devtrust
