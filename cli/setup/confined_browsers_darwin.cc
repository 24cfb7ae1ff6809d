#include "cli/setup/confined_browsers.h"

namespace devtrust::cli {

// Firefox loads other people's modules there, and has no other form.
std::vector<std::string> confined_browsers(const std::string& /*browser*/) { return {}; }

}  // namespace devtrust::cli
