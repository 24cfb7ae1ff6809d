#include "identity/trusted_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace devtrust {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : value_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

bool trusted_owner(const struct stat& status) { return status.st_uid == 0 || status.st_uid == geteuid(); }

/// The folder that the file really lies in, where somebody else may put another of our files in its place: it is his,
/// or everybody may write it and no sticky bit keeps what is there. Empty where all is well. (A file of his own would
/// be seen by its owner.)
std::string open_folder(const std::string& path) {
  std::error_code error;
  std::string folder = std::filesystem::canonical(path, error).parent_path().string();
  struct stat status {};
  struct statvfs mount {};
  if (error || stat(folder.c_str(), &status) != 0) return path;
  const bool writable = (status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0;
  if (trusted_owner(status) && !writable) return {};
  // Containers mount configurations read-only, with any mode on the folder.
  if (statvfs(folder.c_str(), &mount) == 0 && (mount.f_flag & ST_RDONLY) != 0) return {};
  return folder;
}

template <typename Buffer>
Result<Buffer> read_trusted(const std::string& path, std::size_t limit) {
  const Descriptor file(path);
  if (file.get() < 0) {
    const auto code = errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kAccessDenied;
    return fail(code, path + " cannot be opened: " + std::strerror(errno));
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kInvalidConfig, path + " is not a regular file");
  }
  if (!trusted_owner(status)) {
    return fail(ErrorCode::kInvalidConfig,
                path + " belongs neither to root nor to this user, so it is not believed: change its owner");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorCode::kInvalidConfig,
                path + " may be written by others than its owner, so it is not believed: run chmod go-w on it");
  }
  if (const std::string folder = open_folder(path); !folder.empty()) {
    return fail(ErrorCode::kInvalidConfig, path + " is not believed, since others may replace it in " + folder +
                                               ": take their right to write away from that folder");
  }
  if (static_cast<std::size_t>(status.st_size) > limit) {
    return fail(ErrorCode::kInvalidConfig, path + " is longer than " + std::to_string(limit) + " bytes");
  }
  Buffer content(static_cast<std::size_t>(status.st_size) + 1, {});
  std::size_t length = 0;
  while (length < content.size()) {
    const ssize_t got = read(file.get(), content.data() + length, content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, path + " cannot be read: " + std::strerror(errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length == content.size()) return fail(ErrorCode::kIo, path + " grew while it was read: try again");
  content.resize(length);
  return content;
}

}  // namespace

Result<std::string> read_trusted_text(const std::string& path, std::size_t limit) {
  return read_trusted<std::string>(path, limit);
}

Result<SecureBytes> read_trusted_secret(const std::string& path, std::size_t limit) {
  return read_trusted<SecureBytes>(path, limit);
}

}  // namespace devtrust
