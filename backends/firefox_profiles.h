// Firefox's profiles.ini.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace devtrust {

/// The profile folders that `ini`, the text of `root`'s profiles.ini, names: each section's Path, relative to `root`
/// where IsRelative is 1.
std::vector<std::string> profiles_in(std::string_view ini, const std::string& root);

}  // namespace devtrust
