#include "cli/programs.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

fs::path own_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

/// The first that is there of `candidates`, which are relative to our own folder.
Result<std::string> find(const std::string& what, const std::vector<std::string>& candidates) {
  const fs::path folder = own_folder();
  std::string looked_at;
  for (const std::string& candidate : candidates) {
    const fs::path path = (folder / candidate).lexically_normal();
    if (access(path.c_str(), R_OK) == 0) return path.string();
    looked_at += (looked_at.empty() ? "" : ", ") + path.string();
  }
  return fail(ErrorCode::kNotFound, what + " is not where it should be (" + looked_at + "): install devtrust again");
}

}  // namespace

Result<std::string> program_path(const std::string& name) { return find(name, {name}); }

std::string installed_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "";
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (folder.empty()) continue;
    const fs::path file = fs::path(folder) / program;
    if (access(file.c_str(), X_OK) == 0) return file.string();
  }
  return {};
}

bool is_installed(const std::string& program) { return !installed_path(program).empty(); }

Result<std::string> module_path() {
  return find("the PKCS#11 module", {"../" DEVTRUST_LIBDIR "/pkcs11/devtrust-pkcs11.so", "../lib/devtrust-pkcs11.so"});
}

Result<std::string> p11_kit_module_path() {
  return find("the PKCS#11 module",
              {"../" DEVTRUST_LIBDIR "/pkcs11/devtrust-p11-kit.so", "../lib/devtrust-p11-kit.so"});
}

Result<std::string> provider_path() {
  return find("the OpenSSL provider",
              {"../" DEVTRUST_LIBDIR "/ossl-modules/devtrust.so", "../lib/ossl-modules/devtrust.so"});
}

}  // namespace devtrust::cli
