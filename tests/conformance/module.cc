#include "tests/conformance/module.h"

#include <map>
#include <memory>
#include <stdexcept>

#include "tests/conformance/host.h"

namespace devtrust::testing {

Module::Module(const std::string& path) : handle_(load_library(path)) {
  const auto get_function_list = symbol<CK_C_GetFunctionList>("C_GetFunctionList");
  if (get_function_list == nullptr || get_function_list(&functions_) != CKR_OK) {
    throw std::runtime_error(path + " gives no function list");
  }
  if (const auto get_interface = symbol<CK_C_GetInterface>("C_GetInterface")) {
    CK_VERSION version{3, 0};
    CK_INTERFACE* interface = nullptr;
    if (get_interface(nullptr, &version, &interface, 0) == CKR_OK) {
      functions_3_0_ = static_cast<const CK_FUNCTION_LIST_3_0*>(interface->pFunctionList);
    }
  }
}

Module::~Module() { unload_library(handle_); }

void* Module::find(const char* name) const { return find_symbol(handle_, name); }

const Module& loaded(const std::string& path) {
  static std::map<std::string, std::unique_ptr<Module>> modules;
  auto& module = modules[path];
  if (!module) module = std::make_unique<Module>(path);
  return *module;
}

InitArguments::InitArguments(const std::string& init_string, CK_FLAGS flags) {
  arguments.flags = flags;
  if (!init_string.empty()) arguments.pReserved = const_cast<char*>(init_string.c_str());
}

}  // namespace devtrust::testing
