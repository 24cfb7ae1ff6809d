// What both programs begin and end with.
#pragma once

#include <string>

namespace devtrust::cli {

/// Runs `command` as the program `name`, with UTF-8 for its arguments: no file takes the place of a standard descriptor
/// that is closed, libcrypto reads no openssl.cnf, and an exception (no memory) ends with a line and 1.
int run_command(const std::string& name, int argc, char** argv, int (*command)(int, char**));

}  // namespace devtrust::cli
