// Whole files, in and out.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "cli/file_system.h"
#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust::cli {

/// 2 GiB less a byte: what OpenSSL takes at once.
inline constexpr std::size_t kMaxInput = std::numeric_limits<int>::max();

/// At most `limit` bytes; a longer one is an error. Errors name the file.
Result<Bytes> read_whole_file(const std::string& path, std::size_t limit = kMaxInput);
Result<Bytes> read_standard_input(std::size_t limit = kMaxInput);

/// Where files that are soon gone are made: TMPDIR, or /tmp.
std::string temporary_folder();

/// A file of the user's alone that is gone when this is.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, std::string_view content);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }  ///< empty where it cannot be written

 private:
  std::string path_;
};

/// A folder of the user's alone that is gone, with all that is in it, when this is.
class TemporaryFolder {
 public:
  /// In the first of `parents` where that is possible.
  TemporaryFolder(const std::string& name, const std::vector<std::string>& parents);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }  ///< empty where it cannot be made; errno says why

 private:
  std::string path_;
};

/// Puts a new file with this mode in the place of whatever `path` names, all at once: a link there is not followed,
/// nothing there is opened.
Result<void> replace_file(const std::string& path, std::string_view content, Mode mode);

}  // namespace devtrust::cli
