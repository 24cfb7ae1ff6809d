// What this process is allowed to believe of its surroundings.
#pragma once

#include <cstdint>
#include <string>

namespace devtrust {

/// Set-uid, set-gid or file capabilities: the environment is someone else's.
bool raised_privileges();
/// An environment variable; empty where it is unset or where privileges are raised.
std::string environment(const char* name);
/// $HOME, else the password database's; of the effective user (the password database only, where privileges are
/// raised). On Windows the profile folder.
std::string home_directory();
/// The password database's, whatever $HOME says: where OpenSSH looks. Of the effective user.
std::string account_home();
/// $XDG_CONFIG_HOME, else ~/.config. On Windows %APPDATA%.
std::string config_home();
/// The administrator's: /etc/devtrust. On Windows %ProgramData%\devtrust.
std::string system_config_folder();
/// Whether it names the same file in whichever folder a program runs.
bool is_full_path(const std::string& path);
/// How full paths begin, for people.
extern const char* const kFullPathForm;
/// `~` and `~/…` expanded.
std::string expand_home(const std::string& path);
/// Base name of the running program's file, for the audit line: not what the program calls itself.
std::string program_name();
/// Path of the file that this code was loaded from: the module, the provider or the program. Empty where that is not to
/// be known.
std::string own_file();
/// The user for the audit line: the uid; on Windows the SID.
std::string user_id();
std::uint32_t process_id();
std::uint64_t thread_id();

/// A thread that is cancelled while it is inside would unwind through locks and past a C boundary: it waits until it is
/// out.
class NoCancellation {
 public:
  NoCancellation();
  ~NoCancellation();
  NoCancellation(const NoCancellation&) = delete;
  NoCancellation& operator=(const NoCancellation&) = delete;

 private:
  int before_ = 0;
};

}  // namespace devtrust
