#include "cli/setup/system_folders.h"

namespace devtrust::cli {

std::string ssh_system_folder() { return "/etc/ssh"; }
std::string p11_kit_system_folder() { return "/etc/pkcs11"; }

}  // namespace devtrust::cli
