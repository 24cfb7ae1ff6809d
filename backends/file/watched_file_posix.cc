#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "backends/file/file_times.h"
#include "backends/file/watched_file.h"

namespace devtrust {
namespace {

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

// A group of its own is how several services share a key.
const char* const kCloseToOthers = "run chmod 640 or 600 on it";

Result<WatchedFile> read_watched(const std::string& path, std::uint64_t limit) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (descriptor < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return fail(missing ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
                path + (missing ? " is not there" : " cannot be opened: " + std::string(std::strerror(errno))));
  }
  struct Closer {
    int descriptor;
    ~Closer() { close(descriptor); }
  } const closer{descriptor};
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kCorrupt, path + " is not a regular file");
  }
  if (static_cast<std::uint64_t>(status.st_size) > limit) {
    return fail(ErrorCode::kCorrupt, path + " is longer than " + std::to_string(limit >> 20U) + " MiB");
  }
  WatchedFile file{SecureBytes(static_cast<std::size_t>(status.st_size)), (status.st_mode & (S_IRWXO | S_IWGRP)) != 0};
  std::size_t length = 0;
  while (length < file.content.size()) {
    const ssize_t got = read(descriptor, file.content.data() + length, file.content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, path + " cannot be read: " + std::strerror(errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  file.content.resize(length);
  return file;
}

FileStamp stamp_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  const std::int64_t modified = nanoseconds(modified_at(status));
  const std::int64_t changed = nanoseconds(changed_at(status));
  return {
      {status.st_ino ^ (static_cast<std::uint64_t>(status.st_dev) << 32U), static_cast<std::uint64_t>(status.st_size),
       static_cast<std::uint64_t>(modified), static_cast<std::uint64_t>(changed)},
      std::max(modified, changed)};
}

}  // namespace devtrust
