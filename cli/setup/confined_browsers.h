// Browsers that cannot load a module of this machine.
#pragma once

#include <string>
#include <vector>

namespace devtrust::cli {

/// Why the browser's Snap or Flatpak is not set up, a sentence each. `browser`: "firefox" or "chromium".
std::vector<std::string> confined_browsers(const std::string& browser);

}  // namespace devtrust::cli
