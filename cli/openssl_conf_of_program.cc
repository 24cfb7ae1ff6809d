// Where the libcrypto in this program is another than the one that programs use, and looks elsewhere: openssl is asked.
#include "cli/openssl_conf.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {

std::string system_openssl_conf() {
  const auto asked = run({openssl_program(), "version", "-d"});
  return asked ? conf_file_in(asked->output) : std::string();
}

std::string openssl_conf_file() {
  const std::string named = environment("OPENSSL_CONF");
  return named.empty() ? system_openssl_conf() : named;
}

}  // namespace devtrust::cli
