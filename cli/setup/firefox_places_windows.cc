#include <windows.h>

#include <algorithm>

#include "cli/file_system.h"
#include "cli/setup/browser_database.h"
#include "cli/setup/firefox_places.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

std::vector<std::string> program_folders() {
  std::vector<std::string> folders;
  for (const char* variable : {"ProgramW6432", "ProgramFiles", "ProgramFiles(x86)", "LOCALAPPDATA"}) {
    const std::string parent = environment(variable);
    if (parent.empty()) continue;
    std::string folder = text_of(path_of(parent) / "Mozilla Firefox");
    if (exists(folder + "/firefox.exe") && std::ranges::find(folders, folder) == folders.end())
      folders.push_back(std::move(folder));
  }
  return folders;
}

}  // namespace

std::vector<std::string> firefox_roots() {
  const std::string folder = config_home();
  return {text_of(path_of(folder) / "Mozilla/Firefox")};
}

// Firefox keeps a file of the profile open, by itself alone, and Windows closes it however Firefox ends.
Result<void> check_firefox_closed(const std::string& profile) {
  HANDLE file = CreateFileW(path_of(profile + "/parent.lock").c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                            OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) {
    if (GetLastError() == ERROR_SHARING_VIOLATION)
      return tl::unexpected(running("Firefox with the profile " + profile, "firefox.exe"));
    return {};
  }
  CloseHandle(file);
  return {};
}

bool firefox_is_installed() { return !program_folders().empty(); }

std::vector<std::string> firefox_policy_files() {
  std::vector<std::string> files;
  for (const std::string& folder : program_folders()) files.push_back(folder + "/distribution/policies.json");
  return files;
}

std::vector<std::string> all_firefox_policy_files() { return firefox_policy_files(); }

}  // namespace devtrust::cli
