// This program again, as somebody else.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "cli/users.h"
#include "identity/result.h"

namespace devtrust::cli {

/// Runs this program with the rights, the groups and the home of a user, nothing of our environment, and no terminal.
/// Only root can. What it answers is the user's word: whoever has its rights can change it.
class UserProcess {
 public:
  using Clock = std::chrono::steady_clock;

  static Result<UserProcess> start(const User& user, const std::vector<std::string>& arguments, Clock::time_point end);
  UserProcess(UserProcess&& other) noexcept;
  UserProcess& operator=(UserProcess&&) = delete;
  UserProcess(const UserProcess&) = delete;
  UserProcess& operator=(const UserProcess&) = delete;
  /// Ends it, if it still runs, and does not wait for it: what hangs on a dead file server may never end.
  ~UserProcess();

  /// Readable when `read_some` has something to do.
  int descriptor() const { return output_; }
  Clock::time_point end() const { return end_; }
  /// False at the end of what it says, or where it says too much.
  bool read_some();
  const std::string& said() const { return said_; }

  /// Why it was never started as that user: kNotFound where the home is not there. No error where it was.
  static Result<void> refusal(const User& user, std::string_view said);

 private:
  UserProcess(pid_t process, int output, Clock::time_point end) : process_(process), output_(output), end_(end) {}

  pid_t process_;
  int output_;
  Clock::time_point end_;
  std::string said_;
};

}  // namespace devtrust::cli
