// `devtrust status --all-users`: what status says to each user of this machine.
#pragma once

#include <chrono>
#include <string>

#include "cli/status.h"

namespace devtrust::cli {

/// Returns the process's exit code. Each user's own process has `timeout`; `profile` as for `status`.
int status_of_all_users(const std::string& profile, Format format, std::chrono::seconds timeout);

}  // namespace devtrust::cli
