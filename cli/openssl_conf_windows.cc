#include "cli/openssl_conf.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {

std::string openssl_program() { return "openssl"; }
const char* const kHowToGetOpenssl = "";

// Ours is in this program, so its own place says nothing of the one that programs use.
std::string system_openssl_conf() {
  const auto asked = run({openssl_program(), "version", "-d"});
  return asked ? conf_file_in(asked->output) : std::string();
}

std::string openssl_conf_file() {
  const std::string named = environment("OPENSSL_CONF");
  return named.empty() ? system_openssl_conf() : named;
}

}  // namespace devtrust::cli
