#include <windows.h>

#include <winternl.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "tests/support/handles.h"

namespace devtrust::testing {
namespace {

// What the system answers when it is asked for all handles of all processes: their number, and an entry for each.
constexpr ULONG kExtendedHandleInformation = 64;
constexpr NTSTATUS kLengthMismatch = static_cast<NTSTATUS>(0xC0000004);
struct Head {
  ULONG_PTR count, reserved;
};
struct Entry {
  void* object;
  ULONG_PTR process, handle;
  ULONG access;
  USHORT trace, type;
  ULONG attributes, reserved;
};

template <typename Function>
Function* of_ntdll(const char* name) {
  return reinterpret_cast<Function*>(reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"ntdll.dll"), name)));
}

/// The registry's key of a CSP's container: wine 8 leaves one open at each CryptAcquireContext.
bool is_left_by_wine(ULONG_PTR handle) {
  static auto* const query = of_ntdll<NTSTATUS WINAPI(HANDLE, ULONG, void*, ULONG, ULONG*)>("NtQueryObject");
  constexpr ULONG kName = 1;
  std::vector<unsigned char> answer(4096);
  if (query(reinterpret_cast<HANDLE>(handle), kName, answer.data(), static_cast<ULONG>(answer.size()), nullptr) != 0) {
    return false;
  }
  UNICODE_STRING name{};
  std::memcpy(&name, answer.data(), sizeof name);
  const std::wstring_view text(name.Buffer, name.Length / sizeof(wchar_t));
  return text.find(L"\\Software\\Wine\\Crypto\\RSA\\") != std::wstring_view::npos;
}

std::size_t counted() {
  static auto* const query = of_ntdll<NTSTATUS WINAPI(ULONG, void*, ULONG, ULONG*)>("NtQuerySystemInformation");
  std::vector<unsigned char> answer(65536);
  NTSTATUS status = kLengthMismatch;
  while ((status = query(kExtendedHandleInformation, answer.data(), static_cast<ULONG>(answer.size()), nullptr)) ==
         kLengthMismatch) {
    answer.resize(answer.size() * 2);
  }
  if (status != 0) throw std::runtime_error("NtQuerySystemInformation does not tell of handles");
  Head head{};
  std::memcpy(&head, answer.data(), sizeof head);
  std::size_t own = 0;
  for (ULONG_PTR i = 0; i < head.count; ++i) {
    Entry entry{};
    std::memcpy(&entry, answer.data() + sizeof head + i * sizeof entry, sizeof entry);
    own += entry.process == GetCurrentProcessId() && !is_left_by_wine(entry.handle) ? 1 : 0;
  }
  return own;
}

}  // namespace

std::size_t handle_count() {
  DWORD count = 0;
  GetProcessHandleCount(GetCurrentProcess(), &count);
  return count != 0 ? count : counted();  // wine 8 always says 0
}

int refreshes() {
  const char* wanted = std::getenv("DEVTRUST_SOAK_REFRESHES");
  return wanted != nullptr ? static_cast<int>(std::strtol(wanted, nullptr, 10)) : 25;
}

}  // namespace devtrust::testing
