#include <windows.h>

#include <winternl.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
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

std::size_t counted() {
  using Query = NTSTATUS WINAPI(ULONG, void*, ULONG, ULONG*);
  auto* const query = reinterpret_cast<Query*>(
      reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation")));
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
    own += entry.process == GetCurrentProcessId() ? 1 : 0;
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
  return wanted != nullptr ? std::atoi(wanted) : 25;
}

}  // namespace devtrust::testing
