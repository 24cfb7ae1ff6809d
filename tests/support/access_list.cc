#include "tests/support/access_list.h"

#include <windows.h>
// after windows.h
#include <aclapi.h>
#include <sddl.h>

#include <stdexcept>

#include "identity/process.h"
#include "identity/system_error_windows.h"
#include "identity/utf16.h"

namespace devtrust::testing {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, DWORD error) {
  throw std::runtime_error(path.string() + ": " + system_message(error));
}

std::string text_of(PSID sid) {
  wchar_t* text = nullptr;
  if (ConvertSidToStringSidW(sid, &text) == 0) return {};
  std::string narrow = to_utf8(text);
  LocalFree(text);
  return narrow;
}

}  // namespace

void set_access(const std::filesystem::path& path, const std::string& rights, const std::string& other) {
  std::string text = "D:P(A;;FA;;;" + user_id() + ')';
  if (!rights.empty()) text += "(A;;" + rights + ";;;" + other + ')';
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (ConvertStringSecurityDescriptorToSecurityDescriptorW(to_utf16(text).c_str(), SDDL_REVISION_1, &descriptor,
                                                           nullptr) == 0) {
    refuse(path, GetLastError());
  }
  const bool done = SetFileSecurityW(path.wstring().c_str(), DACL_SECURITY_INFORMATION, descriptor) != 0;
  const DWORD error = GetLastError();
  LocalFree(descriptor);
  if (!done) refuse(path, error);
}

std::set<std::string> allowed(const std::filesystem::path& path) {
  PACL list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD error = GetNamedSecurityInfoW(path.wstring().c_str(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr,
                                            nullptr, &list, nullptr, &descriptor);
  if (error != ERROR_SUCCESS) refuse(path, error);
  std::set<std::string> sids;
  for (DWORD i = 0; list != nullptr && i < list->AceCount; ++i) {
    void* entry = nullptr;
    if (GetAce(list, i, &entry) == 0 || static_cast<ACE_HEADER*>(entry)->AceType != ACCESS_ALLOWED_ACE_TYPE) continue;
    sids.insert(text_of(&static_cast<ACCESS_ALLOWED_ACE*>(entry)->SidStart));
  }
  if (list == nullptr) sids.insert("everybody, since there is no list");
  LocalFree(descriptor);
  return sids;
}

std::set<std::string> ours() { return {user_id(), "S-1-5-18", "S-1-5-32-544"}; }

}  // namespace devtrust::testing
