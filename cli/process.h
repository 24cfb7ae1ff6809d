// What both programs begin and end with.
#pragma once

#include <functional>
#include <string>

namespace devtrust::cli {

/// Runs `command` as the program `name`: no file takes the place of a standard descriptor that is closed, libcrypto
/// reads no openssl.cnf, and an exception (no memory) ends with a line
/// and 1.
int run_command(const std::string& name, const std::function<int()>& command);

}  // namespace devtrust::cli
