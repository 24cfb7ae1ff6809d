#include "cli/file_system.h"
#include "cli/setup/firefox_places.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

std::vector<std::string> apps() {
  std::vector<std::string> found;
  for (const std::string& folder : {std::string("/Applications"), home_directory() + "/Applications"}) {
    for (const char* name : {"/Firefox.app", "/Firefox Developer Edition.app", "/Firefox Nightly.app"}) {
      if (exists(folder + name + "/Contents/MacOS/firefox")) found.push_back(folder + name);
    }
  }
  return found;
}

}  // namespace

std::vector<std::string> firefox_roots() { return {home_directory() + "/Library/Application Support/Firefox"}; }

bool firefox_is_installed() { return !apps().empty(); }

// Every Firefox reads its own, which an update leaves and a new installation takes away.
std::vector<std::string> firefox_policy_files() {
  std::vector<std::string> files;
  for (const std::string& app : apps()) files.push_back(app + "/Contents/Resources/distribution/policies.json");
  return files;
}

std::vector<std::string> all_firefox_policy_files() { return firefox_policy_files(); }

}  // namespace devtrust::cli
