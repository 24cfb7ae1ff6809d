// Runs other programs.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "identity/result.h"

namespace devtrust::cli {

struct Ended {
  int code = 0;        ///< the exit code; 128 and the signal's number where one ended it
  std::string output;  ///< standard output
  std::string errors;  ///< standard error, and of more than 64 KiB the beginning
};

/// Environment variables that a program has besides ours, or instead of them.
using Variables = std::vector<std::pair<std::string, std::string>>;

/// `argv[0]` is looked up on PATH; `given` is its standard input. kNotFound where the program is not there.
Result<Ended> run(const std::vector<std::string>& argv, std::string_view given = {}, const Variables& variables = {});

/// A program that the person deals with, on our own standard streams.
class Foreground {
 public:
  /// From here on nothing ends us with files left behind. What came before the program started ends us when this goes;
  /// what comes later goes to the program.
  Foreground();
  ~Foreground();
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;

  /// Waits for its end and answers its exit code, as Ended has it. kNotFound where the program is not there.
  Result<int> run(const std::vector<std::string>& argv, const Variables& variables);

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

}  // namespace devtrust::cli
