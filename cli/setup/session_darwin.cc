#include "cli/setup/session.h"

namespace devtrust::cli {

// launchd reads no file for it; what `launchctl setenv` says is gone with the session.
std::string session_file() { return {}; }

std::string when_it_counts(const std::string& variable) {
  const std::size_t sign = variable.find('=');
  return "It counts in terminals that are opened from now on. In a shell that runs already: export " + variable +
         "; for programs that no shell starts, after each login: launchctl setenv " + variable.substr(0, sign) + ' ' +
         variable.substr(sign + 1);
}

}  // namespace devtrust::cli
