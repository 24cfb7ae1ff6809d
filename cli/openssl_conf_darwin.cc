#include "cli/homebrew.h"
#include "cli/openssl_conf.h"
#include "cli/programs.h"
#include "cli/subprocess.h"

namespace devtrust::cli {
namespace {

std::string find_openssl() {
  std::vector<std::string> candidates{installed_path("openssl")};
  // Not every version of Homebrew puts it on PATH, so that it does not stand before macOS' own.
  for (const std::string_view prefix : kPackagePrefixes) {
    for (const char* place : {"/opt/openssl@3/bin/openssl", "/opt/openssl/bin/openssl", "/bin/openssl"})
      candidates.push_back(std::string(prefix) + place);
  }
  for (const std::string& candidate : candidates) {
    if (candidate.empty()) continue;
    const auto asked = run({candidate, "version"});
    if (asked && asked->code == 0 && has_providers(asked->output)) return candidate;
  }
  return {};
}

}  // namespace

std::string openssl_program() {
  static const std::string kFound = find_openssl();
  return kFound;
}
const char* const kHowToGetOpenssl = "brew install openssl@3; macOS' own openssl is LibreSSL, which has no providers";

}  // namespace devtrust::cli
