#include <array>

#include "cli/file_system.h"
#include "cli/setup/session.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

/// The file that a login shell reads: bash the first that is there of three, zsh one of its own.
std::string login_file(const std::string& home) {
  const std::string shell = environment("SHELL");
  if (shell.ends_with("/zsh")) return home + "/.zprofile";
  if (shell.ends_with("/bash")) {
    for (const char* name : {"/.bash_profile", "/.bash_login"}) {
      if (exists(home + name)) return home + name;
    }
  }
  return home + "/.profile";
}

std::string session_file() { return config_home() + "/environment.d/devtrust.conf"; }

}  // namespace

Result<void> put_into_session(Plan& plan, const MarkedBlock& block, const std::string& name, const std::string& value) {
  const std::string variable = name + '=' + quoted_word(value);
  const std::string shell = login_file(home_directory());
  if (auto put = plan.put(block, session_file(), variable + '\n', 0644, false); !put) return put;
  if (auto put = plan.put(block, shell, "export " + variable + '\n', 0644, false); !put) return put;
  for (std::string file : {session_file(), shell}) plan.done.push_back(file.append(": ").append(variable));
  plan.notes.push_back("It counts from the next login on. In a shell that runs already: export " + variable);
  return {};
}

Result<void> take_from_session(Plan& plan, const MarkedBlock& block) {
  if (auto taken = plan.take(block, session_file()); !taken) return taken;
  for (const char* name : {"/.zprofile", "/.bash_profile", "/.bash_login", "/.profile"}) {
    if (auto taken = plan.take(block, home_directory() + name); !taken) return taken;
  }
  return {};
}

std::string how_to_set(const std::string& name, const std::string& value) {
  return "log in again, or: export " + name + '=' + quoted_word(value);
}

}  // namespace devtrust::cli
