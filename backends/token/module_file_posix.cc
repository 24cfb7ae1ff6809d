#include <dlfcn.h>

#include "backends/token/module_file.h"

namespace devtrust {

Result<CK_FUNCTION_LIST*> load_module_file(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return fail(ErrorCode::kIo, "it cannot be loaded: " + std::string(dlerror()));
  }
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  if (get == nullptr || get(&functions) != CKR_OK || functions == nullptr) {
    return fail(ErrorCode::kIo, "it is no PKCS#11 module");
  }
  return functions;
}

}  // namespace devtrust
