#include "identity/access_control_windows.h"

#include <windows.h>
// after windows.h
#include <aclapi.h>
#include <sddl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "identity/process.h"
#include "identity/utf16.h"

namespace devtrust {
namespace {

/// Administrators, the system, and the service that owns Windows' own files.
constexpr std::array kTrusted{L"S-1-5-32-544", L"S-1-5-18",
                              L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"};
/// Stand for whoever owns or creates a thing, not for somebody.
constexpr std::array kOwnerItself{L"S-1-3-0", L"S-1-3-4"};

bool is(PSID sid, const wchar_t* known) {
  PSID other = nullptr;
  if (ConvertStringSidToSidW(known, &other) == 0) return false;
  const bool same = EqualSid(sid, other) != 0;
  LocalFree(other);
  return same;
}

bool any_of(std::span<const wchar_t* const> known, PSID sid) {
  return std::ranges::any_of(known, [sid](const wchar_t* one) { return is(sid, one); });
}

bool trusted(PSID sid) { return any_of(kTrusted, sid) || is(sid, to_utf16(user_id()).c_str()); }

bool owner_itself(PSID sid) { return any_of(kOwnerItself, sid); }

/// Whether the file's list gives any of `rights` to somebody who is not trusted.
bool others_may(HANDLE handle, ACCESS_MASK rights) {
  PACL list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (GetSecurityInfo(handle, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr, nullptr, &list, nullptr,
                      &descriptor) != ERROR_SUCCESS) {
    return true;
  }
  bool may = list == nullptr;  // no list: everybody may do everything
  for (DWORD i = 0; list != nullptr && i < list->AceCount && !may; ++i) {
    void* entry = nullptr;
    if (GetAce(list, i, &entry) == 0) continue;
    const auto* header = static_cast<const ACE_HEADER*>(entry);
    if (header->AceType != ACCESS_ALLOWED_ACE_TYPE || (header->AceFlags & INHERIT_ONLY_ACE) != 0) continue;
    auto* allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    auto* sid = static_cast<PSID>(&allowed->SidStart);
    may = (allowed->Mask & rights) != 0 && !trusted(sid) && !owner_itself(sid);
  }
  LocalFree(descriptor);
  return may;
}

}  // namespace

PrivateDescriptor::PrivateDescriptor() {
  const std::wstring text = L"D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" + to_utf16(user_id()) + L")";
  ConvertStringSecurityDescriptorToSecurityDescriptorW(text.c_str(), SDDL_REVISION_1, &descriptor_, nullptr);
}

PrivateDescriptor::~PrivateDescriptor() { LocalFree(descriptor_); }

bool owner_is_trusted(void* handle) {
  PSID owner = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (GetSecurityInfo(handle, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, nullptr, nullptr, nullptr,
                      &descriptor) != ERROR_SUCCESS) {
    return false;
  }
  const bool good = owner != nullptr && trusted(owner);
  LocalFree(descriptor);
  return good;
}

bool writable_by_others(void* handle) {
  constexpr ACCESS_MASK kReplace = FILE_DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_ALL;
  constexpr ACCESS_MASK kWrite = FILE_WRITE_DATA | FILE_APPEND_DATA | GENERIC_WRITE;
  BY_HANDLE_FILE_INFORMATION information{};
  const bool folder = GetFileInformationByHandle(handle, &information) != 0 &&
                      (information.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  // Of a folder, the bits of kWrite are to add files: ours stays what it is.
  return others_may(handle, folder ? kReplace : kReplace | kWrite);
}

bool readable_by_others(void* handle) { return others_may(handle, FILE_READ_DATA | GENERIC_READ | GENERIC_ALL); }

}  // namespace devtrust
