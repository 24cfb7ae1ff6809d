// A change to a file of the user's: shown as a diff, or made all at once.
#pragma once

#include <optional>
#include <string>

#include "cli/file_system.h"
#include "identity/result.h"

namespace devtrust::cli {

struct FileChange {
  std::string path;
  std::optional<std::string> before, after;  ///< nothing: there is no such file
  Mode mode = 0644;                          ///< of a file that is new; 0600: its new folders are 0700
  bool shared = false;                       ///< every user is to read it: so are folders that are made for it

  bool empty() const { return before == after; }
};

/// What `path` holds; nothing where there is no such file. At most 16 MiB. An error where it is no regular file.
Result<std::optional<std::string>> read_if_there(const std::string& path);

/// As `diff -u` prints it; empty where nothing changes.
std::string unified_diff(const FileChange& change);

/// Replaces the file (where it is a link: what it leads to) by one with the same mode, under git's kind of lock
/// (PATH.lock), if it still holds `before`. Folders that are missing are made; one of ours goes with its
/// last file. Never leaves half a file.
Result<void> apply(const FileChange& change);

}  // namespace devtrust::cli
