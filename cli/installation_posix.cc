#include <unistd.h>

#include "cli/file_system.h"
#include "cli/installation.h"

namespace devtrust::cli {

std::string own_folder() {
  std::error_code error;
  return text_of(std::filesystem::read_symlink("/proc/self/exe", error).parent_path());
}

std::string executable(const std::string& path) { return access(path.c_str(), X_OK) == 0 ? path : std::string(); }
const char* const kProgramSuffix = "";
const char kPathSeparator = ':';

std::vector<std::string> module_places() {
  return {"../" DEVTRUST_LIBDIR "/pkcs11/devtrust-pkcs11.so", "../lib/devtrust-pkcs11.so"};
}

std::vector<std::string> provider_places() {
  return {"../" DEVTRUST_LIBDIR "/ossl-modules/devtrust.so", "../lib/ossl-modules/devtrust.so"};
}

}  // namespace devtrust::cli
