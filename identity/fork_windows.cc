// Windows has no fork.
#include "identity/fork.h"

namespace devtrust {

std::uint64_t fork_number() { return 0; }

ForkHold::ForkHold() = default;
ForkHold::~ForkHold() = default;

}  // namespace devtrust
