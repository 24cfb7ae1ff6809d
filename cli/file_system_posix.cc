#include "cli/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace devtrust::cli {

int open_to_read(const std::string& path) { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY); }

int create_file(const std::string& path, Mode mode) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (file >= 0) fchmod(file, static_cast<mode_t>(mode));  // whatever the umask takes away
  return file;
}

int create_unique_file(std::string& path, Mode mode) {
  const int file = mkostemp(path.data(), O_CLOEXEC);
  if (file >= 0) fchmod(file, static_cast<mode_t>(mode));
  return file;
}

bool flush(int descriptor) { return fsync(descriptor) == 0; }
void close_file(int descriptor) { close(descriptor); }

bool replace_file_by(const std::string& path, const std::string& successor) {
  return rename(successor.c_str(), path.c_str()) == 0;
}
bool renew_file_by(const std::string& path, const std::string& successor) { return replace_file_by(path, successor); }
bool remove_file(const std::string& path) { return unlink(path.c_str()) == 0; }

bool make_folder(const std::string& path, Mode mode) { return mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0; }
bool make_unique_folder(std::string& path) { return mkdtemp(path.data()) != nullptr; }
void share_folder(const std::string& path) { chmod(path.c_str(), 0755); }
bool remove_folder(const std::string& path) { return rmdir(path.c_str()) == 0; }

FileStatus file_status(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  return {true, S_ISREG(status.st_mode), status.st_uid == geteuid(), status.st_mode & 07777U};
}
bool is_readable(const std::string& path) { return access(path.c_str(), R_OK) == 0; }

bool runs_as_root() { return geteuid() == 0; }

}  // namespace devtrust::cli
