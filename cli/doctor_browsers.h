// What `doctor` says of the browsers.
#pragma once

#include <vector>

#include "cli/device.h"
#include "cli/doctor_line.h"

namespace devtrust::cli {

/// `device`: null where the configuration cannot be read.
std::vector<Line> examine_browsers(const Device* device);

}  // namespace devtrust::cli
