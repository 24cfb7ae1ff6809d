#include <windows.h>

#include "cli/file_system.h"
#include "cli/shared_library.h"
#include "identity/system_error_windows.h"

namespace devtrust::cli {

SharedLibrary::SharedLibrary(const std::string& path)
    : library_(LoadLibraryExW(path_of(path).make_preferred().c_str(), nullptr,
                              LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)) {
  if (library_ == nullptr) why_not_ = system_message(GetLastError());
}

bool SharedLibrary::exports(const char* name) const {
  return GetProcAddress(static_cast<HMODULE>(library_), name) != nullptr;
}

}  // namespace devtrust::cli
