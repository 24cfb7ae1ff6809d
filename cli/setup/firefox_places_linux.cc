#include <algorithm>
#include <filesystem>

#include "cli/file_system.h"
#include "cli/programs.h"
#include "cli/setup/firefox_places.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

constexpr const char* kFirefoxPolicies = "/etc/firefox/policies/policies.json";

/// Beside the program, where /etc has none: Firefox reads one file only.
std::vector<std::string> distribution_policies() {
  std::vector<std::string> folders{"/usr/lib/firefox", "/usr/lib/firefox-esr", "/usr/lib64/firefox", "/opt/firefox"};
  std::error_code error;
  for (const char* program : {"firefox", "firefox-esr"}) {
    if (const std::string path = installed_path(program); !path.empty())
      folders.push_back(text_of(std::filesystem::canonical(path, error).parent_path()));
  }
  std::vector<std::string> files;
  for (const std::string& folder : folders) {
    const std::string file = text_of(std::filesystem::canonical(folder + "/distribution/policies.json", error));
    if (!error && std::ranges::find(files, file) == files.end()) files.push_back(file);
  }
  return files;
}

}  // namespace

std::vector<std::string> firefox_roots() {
  return {home_directory() + "/.mozilla/firefox", config_home() + "/mozilla/firefox"};
}

bool firefox_is_installed() { return is_installed("firefox") || is_installed("firefox-esr"); }

std::vector<std::string> firefox_policy_files() {
  auto files = distribution_policies();
  if (files.empty() || exists(kFirefoxPolicies)) return {kFirefoxPolicies};
  return files;
}

std::vector<std::string> all_firefox_policy_files() {
  auto files = distribution_policies();
  files.emplace_back(kFirefoxPolicies);
  return files;
}

}  // namespace devtrust::cli
