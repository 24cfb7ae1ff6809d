// Forks: what a child must know, and what a fork must not meet half done.
#pragma once

#include <cstdint>

namespace devtrust {

/// Raised in each forked child. State made under another number belongs to the parent.
std::uint64_t fork_number();

/// Held while this thread may own a lock that a forked child would wait for for ever: those of libcrypto and SQLite
/// that are neither ours nor a library context's. A fork in another thread waits until nobody holds one, two seconds at
/// the most. A thread may hold several, and may fork itself. Thread-safe; costs four atomic operations.
class ForkHold {
 public:
  ForkHold();
  ~ForkHold();
  ForkHold(const ForkHold&) = delete;
  ForkHold& operator=(const ForkHold&) = delete;
};

}  // namespace devtrust
