// Runs other programs.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "identity/result.h"

namespace devtrust::cli {

/// Starts a program, looked up on PATH, with our own standard streams and environment, and with the signals of `mask`
/// blocked. kNotFound where it is not there.
Result<pid_t> start(const std::vector<std::string>& argv, const sigset_t& mask);

struct Ended {
  int code = 0;        ///< the exit code; 128 and the signal's number where one ended it
  std::string output;  ///< standard output
  std::string errors;  ///< standard error, and of more than 64 KiB the beginning
};

/// `argv[0]` is looked up on PATH; `given` is its standard input. kNotFound where the program is not there.
Result<Ended> run(const std::vector<std::string>& argv, std::string_view given = {});

}  // namespace devtrust::cli
