#include <openssl/conf.h>
#include <openssl/x509.h>

#include "cli/openssl_conf.h"

namespace devtrust::cli {

std::string openssl_program() { return "openssl"; }
const char* const kHowToGetOpenssl = "";

std::string system_openssl_conf() { return std::string(X509_get_default_cert_area()) + "/openssl.cnf"; }

std::string openssl_conf_file() {
  char* usual = CONF_get1_default_config_file();
  std::string file = usual != nullptr ? usual : "";
  OPENSSL_free(usual);
  return file;
}

}  // namespace devtrust::cli
