#include "cli/setup/browser_database.h"

namespace devtrust::cli {

// Firefox does by itself (security.osclientcerts.autoload), as Chromium and Safari always did.
std::string where_browsers_read(const Identity& identity, const std::string& /*database*/) {
  return identity.store_kind == "keychain" ? identity.location : std::string();
}

}  // namespace devtrust::cli
