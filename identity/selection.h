// Which identity a name means, and why there is none.
#pragma once

#include <string>
#include <vector>

#include "identity/snapshot.h"

namespace devtrust {

Time current_time();

/// The profile's current identity; of the first profile that has one, where `profile` is empty. Otherwise why there is
/// none: errors as Snapshot::current, or what is wrong with the first store that cannot be read.
Result<IdentityPtr> select_current(const Snapshot& snapshot, const std::string& profile, Time now);

/// Names that a profile may be asked for by: those of the configuration, or the built-in ones.
std::vector<std::string> known_profiles(const Snapshot& snapshot);

/// Why there is none of `what`, with what is wrong with the first store that cannot be read.
Error nothing_found(const Snapshot& snapshot, const std::string& what);

}  // namespace devtrust
