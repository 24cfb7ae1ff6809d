#include "cli/fleet.h"
#include "cli/output.h"

namespace devtrust::cli {

int status_of_all_users(const std::string& /*profile*/, Format /*format*/, std::chrono::seconds /*timeout*/) {
  complain(
      "--all-users is not there on macOS, where a user's keychains are open in that user's own session only: have "
      "`devtrust status` run as each user, by a launchd agent");
  return 1;
}

}  // namespace devtrust::cli
