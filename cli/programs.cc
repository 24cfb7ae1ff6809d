#include "cli/programs.h"

#include <unistd.h>

#include <filesystem>
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

Result<std::string> module_path() {
  return find("the PKCS#11 module", {"../" DEVTRUST_LIBDIR "/pkcs11/devtrust-pkcs11.so", "../lib/devtrust-pkcs11.so"});
}

Result<std::string> provider_path() {
  return find("the OpenSSL provider",
              {"../" DEVTRUST_LIBDIR "/ossl-modules/devtrust.so", "../lib/ossl-modules/devtrust.so"});
}

}  // namespace devtrust::cli
