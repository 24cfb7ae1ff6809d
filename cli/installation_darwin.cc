// Not compiled on other systems, and so only as well tried as the last build on macOS.
#include <mach-o/dyld.h>

#include <cstdint>

#include "cli/file_system.h"
#include "cli/homebrew.h"
#include "cli/installation.h"

namespace devtrust::cli {

std::string own_folder() {
  std::uint32_t size = 0;
  _NSGetExecutablePath(nullptr, &size);  // answers the size, with the zero at its end
  std::string path(size, '\0');
  if (_NSGetExecutablePath(path.data(), &size) != 0) return {};
  std::error_code error;
  const std::string folder = text_of(std::filesystem::canonical(path.c_str(), error).parent_path());
  const std::string lasting = lasting_path(folder);
  return exists(lasting) ? lasting : folder;
}

}  // namespace devtrust::cli
