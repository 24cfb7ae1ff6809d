// Not compiled on other systems, and so only as well tried as the last build on macOS.
#include "backends/file/file_times.h"

namespace devtrust {

timespec modified_at(const struct stat& status) { return status.st_mtimespec; }
timespec changed_at(const struct stat& status) { return status.st_ctimespec; }

}  // namespace devtrust
