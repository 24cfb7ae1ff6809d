#include "cli/file_system.h"
#include "cli/installation.h"

namespace devtrust::cli {

std::string own_folder() {
  std::error_code error;
  return text_of(std::filesystem::read_symlink("/proc/self/exe", error).parent_path());
}

}  // namespace devtrust::cli
