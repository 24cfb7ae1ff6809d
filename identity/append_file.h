// A file that lines are added to: a trace's, an audit's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "identity/result.h"

namespace devtrust {

/// Opened, and closed when it goes. Thread-safe.
class AppendFile {
 public:
  /// The path is made, for this user alone, where nothing is there. Not through a link; a regular file of this user or
  /// of the administrator. An error's message is only the reason: it does not name the path.
  static Result<AppendFile> open(const std::string& path);
  /// This process's; left open.
  static AppendFile standard_error();
  AppendFile(AppendFile&& other) noexcept;
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  AppendFile& operator=(AppendFile&&) = delete;

  /// By one call of the operating system: lines of several threads and processes do not mix. The message of an error is
  /// the reason.
  Result<void> write(std::string_view line) const;
  /// Hosts close descriptors that they do not know, and the number may be one of their own files by now; or somebody
  /// has deleted the file.
  bool usable() const;

 private:
  AppendFile() = default;
  std::intptr_t handle_ = -1;  ///< a descriptor, or Windows' handle
  std::uint64_t volume_ = 0, file_ = 0;
  bool owned_ = false;
};

}  // namespace devtrust
