// A store with a password.
#pragma once

#include <filesystem>
#include <string>

namespace devtrust::testing {

/// A configuration in `folder` for a store there that has "locked" in its name and "secret" for a password. `more`:
/// further lines of its [[store]].
std::filesystem::path locked_store(const std::filesystem::path& folder, const std::string& more = {});

}  // namespace devtrust::testing
