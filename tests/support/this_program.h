// The running program's own file.
#pragma once

#include <filesystem>

namespace devtrust::testing {

/// Its path, without symbolic links.
std::filesystem::path this_program();

}  // namespace devtrust::testing
