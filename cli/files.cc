#include "cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "cli/output.h"

namespace devtrust::cli {
namespace {

Result<Bytes> read_all(int descriptor, const std::string& name, std::size_t limit) {
  Bytes content;
  std::array<std::uint8_t, 8192> buffer{};
  for (;;) {
    const ssize_t got = read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, name + " cannot be read: " + std::strerror(errno));
    if (got == 0) return content;
    if (content.size() + static_cast<std::size_t>(got) > limit) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} is longer than {} bytes", name, limit));
    }
    content.insert(content.end(), buffer.begin(), buffer.begin() + got);
  }
}

}  // namespace

Result<Bytes> read_whole_file(const std::string& path, std::size_t limit) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) {
    return fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
                path + " cannot be opened: " + std::strerror(errno));
  }
  auto content = read_all(file, path, limit);
  close(file);
  return content;
}

Result<Bytes> read_standard_input(std::size_t limit) { return read_all(STDIN_FILENO, "standard input", limit); }

std::string temporary_folder() {
  std::error_code error;
  const std::string folder = std::filesystem::temp_directory_path(error).string();
  return error ? "/tmp" : folder;
}

TemporaryFile::TemporaryFile(const std::string& name, std::string_view content) {
  std::string path = temporary_folder() + "/devtrust-" + name + "-XXXXXX";
  const int file = mkostemp(path.data(), O_CLOEXEC);
  if (file < 0) return;
  const bool written = write_all(file, content);
  const int why = errno;
  close(file);
  if (written) {
    path_ = path;
  } else {
    unlink(path.c_str());
    errno = why;
  }
}

TemporaryFile::~TemporaryFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode) {
  std::string beside = path + ".XXXXXX";
  const int file = mkostemp(beside.data(), O_CLOEXEC);
  bool done = file >= 0 && fchmod(file, mode) == 0 && write_all(file, content) && fsync(file) == 0;
  done = done && rename(beside.c_str(), path.c_str()) == 0;
  const int error = errno;
  if (file >= 0) close(file);
  if (done) return {};
  if (file >= 0) unlink(beside.c_str());
  return fail(error == EACCES || error == EPERM || error == EROFS ? ErrorCode::kAccessDenied : ErrorCode::kIo,
              path + " cannot be written: " + std::strerror(error));
}

}  // namespace devtrust::cli
