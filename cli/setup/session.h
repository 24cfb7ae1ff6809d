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

/// The file that all programs of a session have variables from, and not only a shell's: environment.d(5). Empty where
/// there is none. Not on Windows.
std::string session_file();
/// From when on `variable`, a name, `=` and a word of a shell's, counts. Not on Windows.
std::string when_it_counts(const std::string& variable);

}  // namespace devtrust::cli
