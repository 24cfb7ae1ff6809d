// The devtrust command's line: which subcommand, with what.
#pragma once

namespace devtrust::cli {

/// The whole of `devtrust`; the process's exit code.
int command_main(int argc, char** argv);

}  // namespace devtrust::cli
