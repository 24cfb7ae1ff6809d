#include <windows.h>

#include <stdexcept>

#include "identity/utf16.h"
#include "tests/conformance/host.h"
#include "tests/support/handles.h"

namespace devtrust::testing {

void* load_library(const std::string& path) {
  HMODULE library = LoadLibraryW(to_utf16(path).c_str());
  if (library == nullptr) throw std::runtime_error(path + " cannot be loaded: " + std::to_string(GetLastError()));
  return library;
}

void unload_library(void* library) { FreeLibrary(static_cast<HMODULE>(library)); }

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

void set_environment(const std::string& name, const std::string& value) {
  SetEnvironmentVariableW(to_utf16(name).c_str(), to_utf16(value).c_str());
}

std::size_t open_handles() { return handle_count(); }

}  // namespace devtrust::testing
