// Where git has its configuration.
#pragma once

#include <string>

#include "identity/result.h"

namespace devtrust::cli {

/// The file that `git config --global` or `--system` writes.
Result<std::string> git_config_file(bool system);

}  // namespace devtrust::cli
