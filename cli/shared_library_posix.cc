#include <dlfcn.h>

#include "cli/shared_library.h"

namespace devtrust::cli {

SharedLibrary::SharedLibrary(const std::string& path) : library_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (library_ == nullptr) why_not_ = dlerror();
}

bool SharedLibrary::exports(const char* name) const { return dlsym(library_, name) != nullptr; }

}  // namespace devtrust::cli
