#include "cli/file_system.h"
#include "cli/openssl_conf.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {

// Ours is in this program, so its own place says nothing of the one that programs use.
std::string system_openssl_conf() {
  const auto asked = run({"openssl", "version", "-d"});
  if (!asked) return {};
  const std::size_t begin = asked->output.find('"');
  const std::size_t end = asked->output.find('"', begin + 1);
  if (begin == std::string::npos || end == std::string::npos) return {};
  return text_of(path_of(asked->output.substr(begin + 1, end - begin - 1)) / "openssl.cnf");
}

std::string openssl_conf_file() {
  const std::string named = environment("OPENSSL_CONF");
  return named.empty() ? system_openssl_conf() : named;
}

}  // namespace devtrust::cli
