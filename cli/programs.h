// Where our own programs and modules are.
#pragma once

#include <string>
#include <vector>

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
Result<std::string> provider_path();
/// The module by the name under which p11-kit's users open it (design §6: its chain is trusted). Not on Windows.
Result<std::string> module_path_for_p11_kit();

/// Another part of it, `what` for people: the first of `candidates` that is there, which are relative to our own
/// folder.
Result<std::string> part(const std::string& what, const std::vector<std::string>& candidates);

}  // namespace devtrust::cli
