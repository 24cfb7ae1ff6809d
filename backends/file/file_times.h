// The times of a file, which systems' structures name in two ways.
#pragma once

#include <sys/stat.h>

namespace devtrust {

/// When its content was last changed; when anything of it was, its place among other files included.
timespec modified_at(const struct stat& status);
timespec changed_at(const struct stat& status);

}  // namespace devtrust
