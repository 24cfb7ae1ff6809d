#include "cli/openssl_conf.h"

namespace devtrust::cli {

std::string openssl_program() { return "openssl"; }
const char* const kHowToGetOpenssl = "";

}  // namespace devtrust::cli
