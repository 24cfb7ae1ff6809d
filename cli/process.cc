#include "cli/process.h"

#include <openssl/crypto.h>

#include <exception>

#include "cli/arguments.h"
#include "cli/output.h"

namespace devtrust::cli {

int run_command(const std::string& name, int argc, char** argv, int (*command)(int, char**)) {
  prepare_streams();
  set_program(name);
  // A broken openssl.cnf, or one that loads our own provider, is what we may be asked about.
  // Nor do we look ciphers up in libcrypto's old table: to fill it takes a tenth of the time of a signature.
  constexpr std::uint64_t kNoTables = OPENSSL_INIT_NO_ADD_ALL_CIPHERS;
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT | kNoTables, nullptr);
  try {
    Arguments arguments(argc, argv);
    return command(arguments.count(), arguments.pointers());
  } catch (const std::exception& error) {
    complain(std::string("ended by an error of its own, which should be reported: ") + error.what());
    return 1;
  }
}

}  // namespace devtrust::cli
