#include "cli/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace devtrust::cli {
namespace {

constexpr std::size_t kMaxInput = std::numeric_limits<int>::max();

Result<Bytes> read_all(int descriptor, const std::string& name) {
  Bytes content;
  std::array<std::uint8_t, 65536> buffer{};
  for (;;) {
    const ssize_t got = read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, name + " cannot be read: " + std::strerror(errno));
    if (got == 0) return content;
    if (content.size() + static_cast<std::size_t>(got) > kMaxInput) {
      return fail(ErrorCode::kInvalidArgument, name + " is longer than 2 GiB");
    }
    content.insert(content.end(), buffer.begin(), buffer.begin() + got);
  }
}

}  // namespace

Result<Bytes> read_whole_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) {
    return fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
                path + " cannot be opened: " + std::strerror(errno));
  }
  auto content = read_all(file, path);
  close(file);
  return content;
}

Result<Bytes> read_standard_input() { return read_all(STDIN_FILENO, "standard input"); }

}  // namespace devtrust::cli
