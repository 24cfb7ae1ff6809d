#include <filesystem>

#include "cli/setup/browser_database.h"

namespace devtrust::cli {

std::string where_browsers_read(const Identity& identity, const std::string& database) {
  std::error_code error;
  const bool same =
      identity.store_kind == "nss" && std::filesystem::equivalent(path_of(identity.location), path_of(database), error);
  return same ? database : std::string();
}

}  // namespace devtrust::cli
