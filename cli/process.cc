#include "cli/process.h"

#include <openssl/crypto.h>

#include <fcntl.h>
#include <unistd.h>

#include <exception>

#include "cli/output.h"

namespace devtrust::cli {
namespace {

/// Where a caller has closed one of the first three descriptors, the next file that is opened would take its place, and
/// a database be read as the data, or written over by a message. What stands there now fails as a closed one does.
void occupy_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    if (open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) _exit(1);
  }
}

}  // namespace

int run_command(const std::string& name, const std::function<int()>& command) {
  occupy_standard_descriptors();
  set_program(name);
  // A broken openssl.cnf, or one that loads our own provider, is what we may be asked about.
  // Nor do we look ciphers up in libcrypto's old table: to fill it takes a tenth of the time of a signature.
  constexpr std::uint64_t kNoTables = OPENSSL_INIT_NO_ADD_ALL_CIPHERS;
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT | kNoTables, nullptr);
  try {
    return command();
  } catch (const std::exception& error) {
    complain(std::string("ended by an error of its own, which should be reported: ") + error.what());
    return 1;
  }
}

}  // namespace devtrust::cli
