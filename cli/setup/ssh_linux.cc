#include "cli/setup/ssh.h"

namespace devtrust::cli {

// Distributions' OpenSSH loads any module.
Result<void> ssh_can_load(const std::string& /*module*/) { return {}; }

}  // namespace devtrust::cli
