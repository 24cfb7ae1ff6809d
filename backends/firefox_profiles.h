// Firefox's profiles.ini.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "identity/result.h"

namespace devtrust {

/// The profile folders that `ini`, the text of `root`'s profiles.ini, names: each section's Path, relative to `root`
/// where IsRelative is 1.
std::vector<std::string> profiles_in(std::string_view ini, const std::string& root);

/// The same of the file itself, which may be missing. For programs that a person starts: backends/nss reads it in other
/// people's, where a pipe of that name must not hold them up.
std::vector<std::string> read_profiles(const std::string& root, std::vector<Error>& problems);

}  // namespace devtrust
