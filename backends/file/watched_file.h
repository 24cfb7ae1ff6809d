// A file that is read as a whole, and read again when it has changed.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust {

struct WatchedFile {
  SecureBytes content;
  bool open_to_others =
      false;  ///< whether others than its owner's group may read it, or others than its owner replace it
};

/// kNotFound, kAccessDenied, kIo; kCorrupt for what is no regular file or has more than `limit` bytes.
Result<WatchedFile> read_watched(const std::string& path, std::uint64_t limit);

/// What to do with a key's file that is open to others.
extern const char* const kCloseToOthers;

struct FileStamp {
  std::array<std::uint64_t, 4> words{};  ///< differ when the content may have changed; zeros where nothing is there
  std::int64_t newest = 0;               ///< of its times of change, nanoseconds since 1970
};
FileStamp stamp_of(const std::string& path);

}  // namespace devtrust
