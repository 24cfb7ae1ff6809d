#include "cli/setup/firefox_places.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli/setup/browser_database.h"

namespace devtrust::cli {

/// Firefox holds a lock on a file of the profile; the kernel lets go of it however Firefox ends.
Result<void> check_firefox_closed(const std::string& profile) {
  const int file = open((profile + "/.parentlock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return {};
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  close(file);
  if (held) return tl::unexpected(running("Firefox with the profile " + profile, std::to_string(lock.l_pid)));
  return {};
}

}  // namespace devtrust::cli
