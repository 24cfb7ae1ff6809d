// devtrust-smimesign: git's gpg.x509.program.
#include "cli/process.h"
#include "cli/smimesign.h"

int main(int argc, char** argv) {
  return devtrust::cli::run_command("devtrust-smimesign", argc, argv, devtrust::cli::smimesign_main);
}
