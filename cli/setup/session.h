// The environment of the user's sessions.
#pragma once

#include <string>

#include "cli/setup/plan.h"

namespace devtrust::cli {

/// Has sessions begin with this variable, in so far as files can say it, and says to the user what else is to do.
Result<void> put_into_session(Plan& plan, const MarkedBlock& block, const std::string& name, const std::string& value);
Result<void> take_from_session(Plan& plan, const MarkedBlock& block);

/// How a session that runs already comes by it.
std::string how_to_set(const std::string& name, const std::string& value);

}  // namespace devtrust::cli
