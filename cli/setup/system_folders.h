// Where programs that come from packages have their configuration for every user. Not on Windows.
#pragma once

#include <string>

namespace devtrust::cli {

/// ssh_config's.
std::string ssh_system_folder();
/// pkcs11.conf's.
std::string p11_kit_system_folder();

}  // namespace devtrust::cli
