// Sockets that whoever started this program listens on: systemd, launchd.
#pragma once

#include <vector>

#include "identity/result.h"

namespace devtrust::keyholder {

/// None where it was started otherwise. kIo.
Result<std::vector<int>> inherited_sockets();

}  // namespace devtrust::keyholder
