#include "backends/file/file_times.h"

namespace devtrust {

timespec modified_at(const struct stat& status) { return status.st_mtim; }
timespec changed_at(const struct stat& status) { return status.st_ctim; }

}  // namespace devtrust
