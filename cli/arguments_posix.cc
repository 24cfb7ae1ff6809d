#include "cli/arguments.h"

namespace devtrust::cli {

Arguments::Arguments(int argc, char** argv) : words_(argv, argv + argc) {}

}  // namespace devtrust::cli
