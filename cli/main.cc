// devtrust: the command.
#include "cli/command.h"
#include "cli/process.h"

int main(int argc, char** argv) {
  return devtrust::cli::run_command("devtrust", [&] { return devtrust::cli::command_main(argc, argv); });
}
