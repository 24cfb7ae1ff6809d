// What `doctor` says of the browsers.
#pragma once

#include <vector>

#include "cli/doctor_line.h"
#include "identity/snapshot.h"

namespace devtrust::cli {

/// `snapshot`: null where the configuration cannot be read.
std::vector<Line> examine_browsers(const Snapshot* snapshot);

}  // namespace devtrust::cli
