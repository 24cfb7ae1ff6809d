#include "tests/provider/locked_store.h"
#include "tests/support/pki.h"

namespace devtrust::testing {

std::filesystem::path locked_store(const std::filesystem::path& folder, const std::string& more) {
  Pki pki(folder / "pki", "ec:P-256");
  NssDatabase database(folder / "locked", "secret");
  database.import(pki.issue({.key = "ec:P-256"}));
  write_file(folder / "config.toml",
             "[[store]]\nkind = \"nss\"\npath = \"" + database.folder().string() + "\"\n" + more);
  return folder / "config.toml";
}

}  // namespace devtrust::testing
