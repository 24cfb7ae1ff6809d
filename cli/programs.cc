#include "cli/programs.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "cli/file_system.h"
#include "cli/installation.h"
#include "identity/process.h"

namespace devtrust::cli {

Result<std::string> part(const std::string& what, const std::vector<std::string>& candidates) {
  const std::filesystem::path folder = path_of(own_folder());
  std::string looked_at;
  for (const std::string& candidate : candidates) {
    const std::string path = text_of((folder / path_of(candidate)).lexically_normal());
    if (is_readable(path)) return path;
    looked_at += (looked_at.empty() ? "" : ", ") + path;
  }
  return fail(ErrorCode::kNotFound, what + " is not where it should be (" + looked_at + "): install devtrust again");
}

Result<std::string> program_path(const std::string& name) { return part(name, {name + kProgramSuffix}); }

std::string installed_path(const std::string& program) {
  const std::string path = environment("PATH");
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(kPathSeparator));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (folder.empty()) continue;
    std::string file = executable(text_of(path_of(folder) / path_of(program)));
    if (!file.empty()) return file;
  }
  return {};
}

bool is_installed(const std::string& program) { return !installed_path(program).empty(); }

// Each in an installation, and in the build tree.
Result<std::string> module_path() {
  return part("the PKCS#11 module", {"../" DEVTRUST_LIBDIR "/pkcs11/devtrust-pkcs11" DEVTRUST_MODULE_SUFFIX,
                                     "../lib/devtrust-pkcs11" DEVTRUST_MODULE_SUFFIX});
}

Result<std::string> module_path_for_p11_kit() {
  return part("the PKCS#11 module", {"../" DEVTRUST_LIBDIR "/pkcs11/devtrust-p11-kit" DEVTRUST_MODULE_SUFFIX,
                                     "../lib/devtrust-p11-kit" DEVTRUST_MODULE_SUFFIX});
}

Result<std::string> provider_path() {
  return part("the OpenSSL provider", {"../" DEVTRUST_LIBDIR "/ossl-modules/devtrust" DEVTRUST_MODULE_SUFFIX,
                                       "../lib/ossl-modules/devtrust" DEVTRUST_MODULE_SUFFIX});
}

}  // namespace devtrust::cli
