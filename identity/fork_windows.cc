// Windows has no fork.
#include "identity/fork.h"

namespace devtrust {

std::uint64_t fork_number() { return 0; }

ForkHold::ForkHold() = default;
// NOLINTNEXTLINE(modernize-use-equals-default): trivial here, but the class is POSIX's, too
ForkHold::~ForkHold() {}

}  // namespace devtrust
