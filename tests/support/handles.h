// Windows' handles, for tests that look whether any stay open.
#pragma once

#include <cstddef>

namespace devtrust::testing {

/// How many this process has open.
std::size_t handle_count();
/// How often a test that looks at them reads a store; it makes ten times as many signatures. Enough to show one that
/// stays open each time; DEVTRUST_SOAK_REFRESHES says another number (./dev soak: 1,000).
int refreshes();

}  // namespace devtrust::testing
