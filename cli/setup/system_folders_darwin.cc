#include "cli/homebrew.h"
#include "cli/programs.h"
#include "cli/setup/system_folders.h"

namespace devtrust::cli {

// macOS' own ssh reads /etc, Homebrew's reads below its prefix.
std::string ssh_system_folder() { return package_prefix(installed_path("ssh")) + "/etc/ssh"; }
std::string p11_kit_system_folder() { return package_prefix(installed_path("p11-kit")) + "/etc/pkcs11"; }

}  // namespace devtrust::cli
