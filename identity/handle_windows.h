// A file or folder that is open, by Windows' handle.
#pragma once

#include <windows.h>

#include <string>

#include "identity/utf16.h"

namespace devtrust {

class FileHandle {
 public:
  /// What is there, and others may go on changing and deleting it.
  FileHandle(const std::string& path, DWORD access, DWORD flags = FILE_ATTRIBUTE_NORMAL)
      : value_(CreateFileW(to_utf16(path).c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                           nullptr, OPEN_EXISTING, flags, nullptr)) {}
  ~FileHandle() {
    if (valid()) CloseHandle(value_);
  }
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  HANDLE get() const { return value_; }
  bool valid() const { return value_ != INVALID_HANDLE_VALUE; }

 private:
  HANDLE value_;
};

/// Not a folder, a device or a pipe.
inline bool is_regular_file(const FileHandle& file) {
  BY_HANDLE_FILE_INFORMATION information{};
  return GetFileType(file.get()) == FILE_TYPE_DISK && GetFileInformationByHandle(file.get(), &information) != 0 &&
         (information.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

/// Of GetLastError after a file could not be opened.
inline bool is_missing(DWORD error) {
  return error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND || error == ERROR_BAD_NETPATH ||
         error == ERROR_BAD_NET_NAME || error == ERROR_INVALID_NAME;
}

}  // namespace devtrust
