// Folders as either operating system has them.
#pragma once

#include <string>

#include "identity/process.h"
#include "tests/support/variable.h"

namespace devtrust::testing {

/// The home folder, until the test ends.
class Home {
 public:
  explicit Home(const std::optional<std::string>& folder) : home_("HOME", folder), profile_("USERPROFILE", folder) {}

 private:
  Variable home_, profile_;
};

/// POSIX's path, which begins with /, with a drive before it where full paths have one.
inline std::string full_path(const std::string& path) { return is_full_path(path) ? path : "C:" + path; }

}  // namespace devtrust::testing
