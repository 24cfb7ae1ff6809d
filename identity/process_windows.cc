#include <windows.h>
// after windows.h
#include <sddl.h>
#include <shlobj.h>

#include <array>
#include <memory>
#include <vector>

#include "identity/process.h"
#include "identity/utf16.h"

namespace devtrust {
namespace {

std::string known_folder(const KNOWNFOLDERID& folder) {
  wchar_t* path = nullptr;
  std::string text;
  if (SHGetKnownFolderPath(folder, KF_FLAG_DONT_VERIFY, nullptr, &path) == S_OK) text = to_utf8(path);
  CoTaskMemFree(path);
  return text;
}

std::string file_of(HMODULE module) {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size())));
  return to_utf8(path);
}

}  // namespace

// No program runs with rights that whoever starts it has not: an elevated one was started by an elevated one.
bool raised_privileges() { return false; }

std::string environment(const char* name) {
  const std::wstring wide = to_utf16(name);
  std::wstring value(256, L'\0');
  for (;;) {
    const DWORD length = GetEnvironmentVariableW(wide.c_str(), value.data(), static_cast<DWORD>(value.size()));
    if (length < value.size()) {
      value.resize(length);
      return to_utf8(value);
    }
    value.resize(length);
  }
}

std::string home_directory() {
  std::string home = environment("USERPROFILE");
  return is_full_path(home) ? home : account_home();
}

std::string account_home() { return known_folder(FOLDERID_Profile); }

std::string config_home() { return known_folder(FOLDERID_RoamingAppData); }

std::string system_config_folder() {
  const std::string folder = known_folder(FOLDERID_ProgramData);
  return folder.empty() ? folder : folder + "\\devtrust";
}

const char* const kFullPathForm = "a drive (C:\\), \\\\ or ~/";
bool is_full_path(const std::string& path) {
  const auto separator = [&path](std::size_t at) { return path[at] == '\\' || path[at] == '/'; };
  if (path.size() >= 2 && separator(0) && separator(1)) return true;
  const bool letter = path.size() >= 3 && ((path[0] >= 'A' && path[0] <= 'Z') || (path[0] >= 'a' && path[0] <= 'z'));
  return letter && path[1] == ':' && separator(2);
}

std::string expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/") && !path.starts_with("~\\")) return path;
  const std::string home = home_directory();
  return home.empty() ? path : home + path.substr(1);
}

std::string program_name() {
  const std::string path = file_of(nullptr);
  return path.substr(path.rfind('\\') + 1);
}

std::string own_file() {
  static const wchar_t anchor = 0;
  HMODULE module = nullptr;
  constexpr DWORD kFlags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  return GetModuleHandleExW(kFlags, &anchor, &module) != 0 ? file_of(module) : "";
}

std::string user_id() {
  HANDLE token = nullptr;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) == 0) return {};
  DWORD size = 0;
  GetTokenInformation(token, TokenUser, nullptr, 0, &size);
  std::vector<std::uint8_t> buffer(size);
  std::string text;
  wchar_t* sid = nullptr;
  if (GetTokenInformation(token, TokenUser, buffer.data(), size, &size) != 0 &&
      ConvertSidToStringSidW(reinterpret_cast<const TOKEN_USER*>(buffer.data())->User.Sid, &sid) != 0) {
    text = to_utf8(sid);
    LocalFree(sid);
  }
  CloseHandle(token);
  return text;
}

std::uint32_t process_id() { return GetCurrentProcessId(); }
std::uint64_t thread_id() { return GetCurrentThreadId(); }

// Windows has no cancellation of threads that unwinds.
NoCancellation::NoCancellation() = default;
// NOLINTNEXTLINE(modernize-use-equals-default): trivial here, but the class is POSIX's, too
NoCancellation::~NoCancellation() {}

}  // namespace devtrust
