// Runs the real tools that tests build their PKI and stores with.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace devtrust::testing {

/// A folder that is gone when the test ends. Names never repeat.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct CommandResult {
  int exit_code = 0;   ///< 128 + signal where one ended it
  std::string output;  ///< standard output and standard error
};

/// Runs `argv` (found on PATH) with `environment` added to this process's. Throws std::runtime_error where it cannot be
/// started.
CommandResult run(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment = {});
/// The same, and throws with the output where the exit code is not 0.
std::string must_run(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment = {});

/// What it prints as text: each line ends with \n alone.
std::string must_print(const std::vector<std::string>& argv);

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& content);
/// Takes it away from all other users.
void make_private(const std::filesystem::path& path);

}  // namespace devtrust::testing
