#include "cli/setup/browser_database.h"

namespace devtrust::cli {

// Firefox does by itself (security.osclientcerts.autoload), as Chromium always did.
std::string where_browsers_read(const Identity& identity, const std::string& /*database*/) {
  return identity.store_kind == "windows" ? "Windows' certificate store" : std::string();
}

}  // namespace devtrust::cli
