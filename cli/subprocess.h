// Runs another program to its end.
#pragma once

#include <string>
#include <vector>

#include "identity/result.h"

namespace devtrust::cli {

struct Ended {
  int code = 0;        ///< the exit code; 128 and the signal's number where one ended it
  std::string output;  ///< standard output
  std::string errors;  ///< standard error, and of more than 64 KiB the beginning
};

/// `argv[0]` is looked up on PATH. Standard input is empty. kNotFound where the program is not there.
Result<Ended> run(const std::vector<std::string>& argv);

}  // namespace devtrust::cli
