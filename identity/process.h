// What this process is allowed to believe of its surroundings.
#pragma once

#include <cstdint>
#include <string>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace devtrust {

/// Set-uid, set-gid or file capabilities: the environment is someone else's.
bool raised_privileges();
/// An environment variable; empty where it is unset or where privileges are raised.
std::string environment(const char* name);
/// $HOME, else the password database's; of the effective user (the password database only, where privileges are
/// raised).
std::string home_directory();
/// The password database's, whatever $HOME says: where OpenSSH looks. Of the effective user.
std::string account_home();
/// $XDG_CONFIG_HOME, else ~/.config.
std::string config_home();
/// `~` and `~/…` expanded.
std::string expand_home(const std::string& path);
/// Base name of the running program's file, for the audit line: not what the program calls itself.
std::string program_name();

/// A thread that is cancelled while it is inside would unwind through locks and past a C boundary: it waits until it is
/// out.
class NoCancellation {
 public:
#ifdef _WIN32
  NoCancellation() = default;
#else
  NoCancellation() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoCancellation() { pthread_setcancelstate(before_, nullptr); }
#endif
  NoCancellation(const NoCancellation&) = delete;
  NoCancellation& operator=(const NoCancellation&) = delete;

 private:
  int before_ = 0;
};

}  // namespace devtrust
