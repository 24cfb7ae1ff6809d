#include "cli/installation.h"

#include <unistd.h>

namespace devtrust::cli {

std::string executable(const std::string& path) { return access(path.c_str(), X_OK) == 0 ? path : std::string(); }
const char* const kProgramSuffix = "";
const char kPathSeparator = ':';

}  // namespace devtrust::cli
