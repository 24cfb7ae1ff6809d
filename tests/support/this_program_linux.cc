#include "tests/support/this_program.h"

namespace devtrust::testing {

std::filesystem::path this_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

}  // namespace devtrust::testing
