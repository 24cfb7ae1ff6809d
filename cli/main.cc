// devtrust: the command.
#include "cli/command.h"
#include "cli/process.h"

int main(int argc, char** argv) {
  return devtrust::cli::run_command("devtrust", argc, argv, devtrust::cli::command_main);
}
