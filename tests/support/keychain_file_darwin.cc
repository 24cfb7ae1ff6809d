// Not compiled on other systems, and so only as well tried as the last build on macOS.
#include <algorithm>
#include <stdexcept>

#include "tests/support/keychain_file.h"
#include "tests/support/this_program.h"

namespace devtrust::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPassword = "keychain";

/// The name by which macOS knows this program in the lists of who may use a key: signed by nobody, or ad hoc.
std::string partition_of_this_program() {
  constexpr std::string_view kHash = "CDHash=";
  const std::string signature = run({"/usr/bin/codesign", "-d", "-vvv", this_program().string()}).output;
  const std::size_t found = signature.find(kHash);
  if (found == std::string::npos) return "unsigned:";
  const std::size_t begin = found + kHash.size();
  return "cdhash:" + signature.substr(begin, signature.find('\n', begin) - begin);
}

void security(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "/usr/bin/security");
  must_run(arguments);
}

}  // namespace

KeychainFile::KeychainFile(fs::path path) : path_(std::move(path)) {
  fs::create_directories(path_.parent_path());
  security({"create-keychain", "-p", kPassword, path_.string()});
  security({"set-keychain-settings", path_.string()});  // it does not lock itself
  security({"unlock-keychain", "-p", kPassword, path_.string()});
}

KeychainFile::~KeychainFile() {
  try {
    static_cast<void>(run({"/usr/bin/security", "delete-keychain", path_.string()}));
  } catch (const std::exception&) {
    return;  // its folder goes in any case
  }
}

void KeychainFile::put(const fs::path& pem) {
  std::string item = read_file(pem);
  if (std::ranges::find(items_, item) != items_.end()) return;
  security({"import", pem.string(), "-k", path_.string(), "-t", "cert"});
  items_.push_back(std::move(item));
}

void KeychainFile::add(const Leaf& leaf) {
  // Key and certificate together, in the one way of encryption that every macOS reads.
  const fs::path file = path_.parent_path().parent_path() / "import.p12";
  must_run({"openssl", "pkcs12", "-export", "-in", leaf.certificate.string(), "-inkey", leaf.key.string(), "-name",
            leaf.common_name, "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-passout",
            "pass:secret", "-out", file.string()});
  security({"import", file.string(), "-k", path_.string(), "-P", "secret", "-A", "-t", "cert", "-f", "pkcs12"});
  fs::remove(file);
  for (const fs::path& issuer : leaf.issuers) put(issuer);
  security({"set-key-partition-list", "-S", "apple-tool:,apple:," + partition_of_this_program(), "-s", "-k", kPassword,
            path_.string()});
}

void KeychainFile::add_certificate(const fs::path& pem) { put(pem); }

void KeychainFile::search_also(const KeychainFile& /*other*/) {}

}  // namespace devtrust::testing
