#include "cli/file_system.h"

namespace devtrust::cli {

namespace fs = std::filesystem;

fs::path path_of(std::string_view text) { return std::u8string(text.begin(), text.end()); }

std::string text_of(const fs::path& path) {
  const std::u8string text = path.generic_u8string();
  return {text.begin(), text.end()};
}

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path_of(path), error);
}

std::string full_path(const std::string& path) {
  std::error_code error;
  return text_of(fs::absolute(path_of(path), error));
}

}  // namespace devtrust::cli
