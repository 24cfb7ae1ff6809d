// Where our own programs and modules are.
#pragma once

#include <string>

#include "identity/result.h"

namespace devtrust::cli {

/// A program that is installed beside this one. kNotFound where it is not there.
Result<std::string> program_path(const std::string& name);

/// The program of that name that is first on PATH; empty where there is none.
std::string installed_path(const std::string& program);
/// Whether there is one.
bool is_installed(const std::string& program);

/// The PKCS#11 module and the OpenSSL provider, of the installation (or the build tree) that this program is in.
Result<std::string> module_path();
/// The same by the name under which p11-kit's users open it (design §6: its chain is trusted).
Result<std::string> p11_kit_module_path();
Result<std::string> provider_path();

}  // namespace devtrust::cli
