#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "identity/append_file.h"

namespace devtrust {
namespace {

int descriptor_of(std::intptr_t handle) { return static_cast<int>(handle); }

tl::unexpected<Error> failed() { return fail(ErrorCode::kIo, std::strerror(errno)); }

}  // namespace

Result<AppendFile> AppendFile::open(const std::string& path) {
  const int opened =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
  if (opened < 0) return failed();
  // Not in the place of a standard stream that the host has closed.
  const int descriptor = opened > STDERR_FILENO ? opened : fcntl(opened, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (descriptor != opened) close(opened);
  if (descriptor < 0) return failed();
  AppendFile file;
  file.handle_ = descriptor;
  file.owned_ = true;
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kIo, "it is not a regular file");
  }
  if (status.st_uid != 0 && status.st_uid != geteuid()) {
    return fail(ErrorCode::kAccessDenied, "it belongs to another user");
  }
  file.volume_ = static_cast<std::uint64_t>(status.st_dev);
  file.file_ = status.st_ino;
  return file;
}

AppendFile AppendFile::standard_error() {
  AppendFile file;
  file.handle_ = STDERR_FILENO;
  return file;
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : handle_(other.handle_), volume_(other.volume_), file_(other.file_), owned_(std::exchange(other.owned_, false)) {}

AppendFile::~AppendFile() {
  if (owned_) close(descriptor_of(handle_));
}

Result<void> AppendFile::write(std::string_view line) const {
  const ssize_t written = ::write(descriptor_of(handle_), line.data(), line.size());
  if (written >= 0 && static_cast<std::size_t>(written) < line.size()) errno = ENOSPC;
  if (written != static_cast<ssize_t>(line.size())) return failed();
  return {};
}

bool AppendFile::usable() const {
  if (!owned_) return true;
  struct stat status {};
  return fstat(descriptor_of(handle_), &status) == 0 && static_cast<std::uint64_t>(status.st_dev) == volume_ &&
         status.st_ino == file_ && status.st_nlink > 0;
}

}  // namespace devtrust
