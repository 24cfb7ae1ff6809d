#include "cli/setup/confined_browsers.h"

namespace devtrust::cli {

// Firefox from Microsoft's store loads modules as any other does.
std::vector<std::string> confined_browsers(const std::string& /*browser*/) { return {}; }

}  // namespace devtrust::cli
