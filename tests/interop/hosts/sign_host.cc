// The plainest host: loads the module named on the command line, signs and verifies, and says so. Says as well whether
// the kernel started it with raised privileges. Built several times, with and without symbols that clash.
#include <sys/auxv.h>

#include <cstdio>
#include <exception>

#include "tests/interop/hosts/host.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    std::printf("raised privileges: %lu\n", getauxval(AT_SECURE));
    const devtrust::testing::Module module(argv[1]);
    devtrust::testing::check(module.initialize(), "C_Initialize");
    module.sign_and_verify();
    devtrust::testing::check(module->C_Finalize(nullptr), "C_Finalize");
    std::puts("signed and verified");
    return 0;
  } catch (const std::exception& error) {
    std::puts(error.what());
    return 1;
  }
}
