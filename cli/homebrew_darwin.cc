#include "cli/homebrew.h"

namespace devtrust::cli {

std::string lasting_path(std::string_view path) {
  constexpr std::string_view kCellar = "/Cellar/";
  const std::size_t cellar = path.find(kCellar);
  if (cellar == std::string_view::npos) return std::string(path);
  const std::size_t name = cellar + kCellar.size();
  const std::size_t version = path.find('/', name);
  if (version == std::string_view::npos) return std::string(path);
  const std::size_t rest = path.find('/', version + 1);
  std::string lasting(path.substr(0, cellar));
  lasting.append("/opt/").append(path.substr(name, version - name));
  return rest == std::string_view::npos ? lasting : lasting.append(path.substr(rest));
}

// Homebrew's on Apple silicon, Homebrew's on Intel, MacPorts'.
const std::array<std::string_view, 3> kPackagePrefixes{"/opt/homebrew", "/usr/local", "/opt/local"};

std::string package_prefix(std::string_view program) {
  for (const std::string_view prefix : kPackagePrefixes) {
    if (program.starts_with(prefix) && program.substr(prefix.size()).starts_with('/')) return std::string(prefix);
  }
  return {};
}

}  // namespace devtrust::cli
