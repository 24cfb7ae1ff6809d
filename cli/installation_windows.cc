#include <windows.h>

#include "cli/file_system.h"
#include "cli/installation.h"

namespace devtrust::cli {

std::string own_folder() {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
  return text_of(std::filesystem::path(path).parent_path());
}

std::string executable(const std::string& path) {
  for (const char* suffix : {"", kProgramSuffix}) {
    std::string file = path + suffix;
    std::wstring extension = path_of(file).extension().wstring();
    for (wchar_t& c : extension) c = c >= L'A' && c <= L'Z' ? static_cast<wchar_t>(c - L'A' + L'a') : c;
    if (extension == L".exe" && file_status(file).regular) return file;
  }
  return {};
}

const char* const kProgramSuffix = ".exe";
const char kPathSeparator = ';';

}  // namespace devtrust::cli
