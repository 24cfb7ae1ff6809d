// What a shell offers when a person presses TAB: conf/completions asks the programs themselves.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace devtrust::cli {

/// The first argument by which the shells' scripts ask; what follows are the words up to the cursor.
inline constexpr const char* kCompleteCommand = "__complete";

/// Prints what could stand for the last word, a line each, with a tab and its description where it has one. A line
/// ":files", ":folders" or ":commands" leaves it to the shell. Ends with the process's exit code.
int complete(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace devtrust::cli
