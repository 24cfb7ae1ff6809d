#include "cli/files.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "cli/streams.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

Result<Bytes> read_all(int descriptor, const std::string& name, std::size_t limit) {
  Bytes content;
  std::array<std::uint8_t, 8192> buffer{};
  for (;;) {
    const std::ptrdiff_t got = read_some(descriptor, buffer.data(), buffer.size());
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
  const int file = open_to_read(path);
  if (file < 0) {
    return fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
                path + " cannot be opened: " + std::strerror(errno));
  }
  auto content = read_all(file, path, limit);
  close_file(file);
  return content;
}

Result<Bytes> read_standard_input(std::size_t limit) { return read_all(kStandardInput, "standard input", limit); }

std::string temporary_folder() {
  std::error_code error;
  std::string folder = text_of(fs::temp_directory_path(error));
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  return error ? "/tmp" : folder;
}

TemporaryFile::TemporaryFile(const std::string& name, std::string_view content) {
  std::string path = temporary_folder() + "/devtrust-" + name + "-XXXXXX";
  const int file = create_unique_file(path, 0600);
  if (file < 0) return;
  const bool written = write_all(file, content);
  close_file(file);
  if (written) {
    path_ = path;
  } else {
    remove_file(path);
  }
}

TemporaryFile::~TemporaryFile() {
  if (!path_.empty()) remove_file(path_);
}

TemporaryFolder::TemporaryFolder(const std::string& name, const std::vector<std::string>& parents) {
  for (const std::string& parent : parents) {
    if (parent.empty()) continue;
    path_ = parent;
    path_.append("/devtrust-").append(name).append("-XXXXXX");
    if (make_unique_folder(path_)) return;
  }
  path_.clear();
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  if (!path_.empty()) fs::remove_all(path_of(path_), error);
}

Result<void> replace_file(const std::string& path, std::string_view content, Mode mode) {
  std::string beside = path + ".XXXXXX";
  const int file = create_unique_file(beside, mode);
  bool done = file >= 0 && write_all(file, content) && flush(file);
  int error = errno;
  if (file >= 0) close_file(file);
  if (done) {
    done = replace_file_by(path, beside);
    error = errno;
  }
  if (done) return {};
  if (file >= 0) remove_file(beside);
  return fail(error == EACCES || error == EPERM || error == EROFS ? ErrorCode::kAccessDenied : ErrorCode::kIo,
              path + " cannot be written: " + std::strerror(error));
}

}  // namespace devtrust::cli
