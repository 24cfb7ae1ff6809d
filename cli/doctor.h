// `devtrust doctor`: everything between the store and each program, a line each.
#pragma once

#include "cli/status.h"

namespace devtrust::cli {

/// 0 where nothing is wrong, 1 where something is.
int doctor(Format format);

}  // namespace devtrust::cli
