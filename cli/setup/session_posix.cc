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

}  // namespace

Result<void> put_into_session(Plan& plan, const MarkedBlock& block, const std::string& name, const std::string& value) {
  const std::string variable = name + '=' + quoted_word(value);
  const auto put_into = [&](const std::string& file, const std::string& line) -> Result<void> {
    plan.done.push_back(file + ": " + variable);
    return plan.put(block, file, line + '\n', 0644, false);
  };
  if (const std::string all = session_file(); !all.empty()) {
    if (auto put = put_into(all, variable); !put) return put;
  }
  if (auto put = put_into(login_file(home_directory()), "export " + variable); !put) return put;
  plan.notes.push_back(when_it_counts(variable));
  return {};
}

Result<void> take_from_session(Plan& plan, const MarkedBlock& block) {
  if (const std::string all = session_file(); !all.empty()) {
    if (auto taken = plan.take(block, all); !taken) return taken;
  }
  for (const char* name : {"/.zprofile", "/.bash_profile", "/.bash_login", "/.profile"}) {
    if (auto taken = plan.take(block, home_directory() + name); !taken) return taken;
  }
  return {};
}

std::string how_to_set(const std::string& name, const std::string& value) {
  return "log in again, or: export " + name + '=' + quoted_word(value);
}

}  // namespace devtrust::cli
