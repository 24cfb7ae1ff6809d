// `devtrust verify --range`: every commit of a range, for CI and pre-receive hooks.
#pragma once

#include <string>

namespace devtrust::cli {

enum class RangeFormat : std::uint8_t { kText, kJson, kSarif };

/// `range` as git's rev-list takes it (A..B; where A is git's name for nothing, all of B that no branch has). `policy`:
/// a configuration to believe instead of the usual one; may be empty. 0 where every commit is good, 1 where one is not
/// or something failed.
int verify_range(const std::string& range, const std::string& policy, RangeFormat format);

}  // namespace devtrust::cli
