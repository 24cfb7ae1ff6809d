#include "cli/setup/session.h"
#include "identity/process.h"

namespace devtrust::cli {

std::string session_file() { return config_home() + "/environment.d/devtrust.conf"; }

std::string when_it_counts(const std::string& variable) {
  return "It counts from the next login on. In a shell that runs already: export " + variable;
}

}  // namespace devtrust::cli
