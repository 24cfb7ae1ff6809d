#include "cli/fleet.h"
#include "cli/output.h"

namespace devtrust::cli {

int status_of_all_users(const std::string& /*profile*/, Format /*format*/, std::chrono::seconds /*timeout*/) {
  complain(
      "--all-users is not there on Windows, where no user can look at another's keys: have `devtrust status` run as "
      "each user, at the logon");
  return 1;
}

}  // namespace devtrust::cli
