#include <windows.h>

#include "backends/token/module_file.h"
#include "identity/system_error_windows.h"
#include "identity/utf16.h"

namespace devtrust {

Result<CK_FUNCTION_LIST*> load_module_file(const std::string& path) {
  // What it needs is looked for beside it and in Windows' own folder, not where the host was started.
  HMODULE library =
      LoadLibraryExW(to_utf16(path).c_str(), nullptr, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (library == nullptr) {
    return fail(ErrorCode::kIo, "it cannot be loaded: " + system_message(GetLastError()));
  }
  const auto get =
      reinterpret_cast<CK_C_GetFunctionList>(reinterpret_cast<void*>(GetProcAddress(library, "C_GetFunctionList")));
  CK_FUNCTION_LIST* functions = nullptr;
  if (get == nullptr || get(&functions) != CKR_OK || functions == nullptr) {
    return fail(ErrorCode::kIo, "it is no PKCS#11 module");
  }
  return functions;
}

}  // namespace devtrust
