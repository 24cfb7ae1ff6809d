// Neither Windows' own stores nor keychains have a password that a program gives: a key's file may have one.
#include "tests/provider/locked_store.h"
#include "tests/support/pki.h"

namespace devtrust::testing {

std::filesystem::path locked_store(const std::filesystem::path& folder, const std::string& more) {
  Pki pki(folder / "pki", "ec:P-256");
  const Leaf leaf = pki.issue({.key = "ec:P-256"});
  std::string chain = read_file(leaf.certificate);
  for (const auto& issuer : leaf.issuers) chain += read_file(issuer);
  write_file(folder / "locked.pem", chain);
  must_run({"openssl", "pkcs8", "-topk8", "-in", leaf.key.string(), "-passout", "pass:secret", "-out",
            (folder / "locked.key").string()});
  write_file(folder / "config.toml", "[[store]]\nkind = \"file\"\npath = '" + (folder / "locked.pem").string() +
                                         "'\nkey_path = '" + (folder / "locked.key").string() + "'\n" + more);
  return folder / "config.toml";
}

}  // namespace devtrust::testing
