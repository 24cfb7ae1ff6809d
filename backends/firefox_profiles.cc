#include "backends/firefox_profiles.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace devtrust {
namespace {

constexpr std::size_t kMaxProfiles = 64;

}  // namespace

std::vector<std::string> profiles_in(std::string_view ini, const std::string& root) {
  std::vector<std::string> folders;
  bool in_profile = false;
  bool relative = true;
  std::string path;
  const auto finish = [&] {
    if (in_profile && !path.empty() && folders.size() < kMaxProfiles) {
      folders.push_back(relative ? root + '/' + path : path);
    }
    path.clear();
    relative = true;
  };
  std::string_view rest = ini;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('[')) {
      finish();
      in_profile = line.starts_with("[Profile");
    } else if (line.starts_with("Path=")) {
      path = line.substr(5);
    } else if (line.starts_with("IsRelative=")) {
      relative = line.substr(11) != "0";
    }
  }
  finish();
  return folders;
}

std::vector<std::string> read_profiles(const std::string& root, std::vector<Error>& problems) {
  const std::string path = root + "/profiles.ini";
  const std::filesystem::path file(std::u8string(path.begin(), path.end()));  // UTF-8 on Windows, too
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return {};
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad() || !stream.is_open()) {
    problems.push_back({ErrorCode::kAccessDenied, path + " cannot be read, so its Firefox profiles are not looked at"});
  }
  return profiles_in(text, root);
}

}  // namespace devtrust
