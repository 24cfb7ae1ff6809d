// Where our own programs and modules are.
#pragma once

#include <string>

#include "identity/result.h"

namespace devtrust::cli {

/// A program that is installed beside this one. kNotFound where it is not there.
Result<std::string> program_path(const std::string& name);

/// The PKCS#11 module and the OpenSSL provider, of the installation (or the build tree) that this program is in.
Result<std::string> module_path();
Result<std::string> provider_path();

}  // namespace devtrust::cli
