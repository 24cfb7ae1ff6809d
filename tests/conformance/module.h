// A PKCS#11 module, loaded as a host loads it.
#pragma once

#include <string>

#include "pkcs11/cryptoki.h"

namespace devtrust::testing {

/// Throws std::runtime_error where that fails.
class Module {
 public:
  explicit Module(const std::string& path);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const CK_FUNCTION_LIST& functions() const { return *functions_; }
  /// Null where the module does not know PKCS#11 3.0.
  const CK_FUNCTION_LIST_3_0* functions_3_0() const { return functions_3_0_; }
  template <typename Function>
  Function symbol(const char* name) const {
    return reinterpret_cast<Function>(find(name));
  }

 private:
  void* find(const char* name) const;

  void* handle_;
  CK_FUNCTION_LIST* functions_ = nullptr;
  const CK_FUNCTION_LIST_3_0* functions_3_0_ = nullptr;
};

/// Loaded once in a process, and kept.
const Module& loaded(const std::string& path);

/// C_Initialize's arguments. NSS's token expects one more field than others: it is there for all.
struct InitArguments {
  explicit InitArguments(const std::string& init_string, CK_FLAGS flags = CKF_OS_LOCKING_OK);
  CK_C_INITIALIZE_ARGS arguments{};
  void* end = nullptr;
};

}  // namespace devtrust::testing
