#include "cli/file_system.h"

#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <array>
#include <cerrno>
#include <random>
#include <string_view>

#include "identity/access_control_windows.h"
#include "identity/handle_windows.h"

namespace devtrust::cli {
namespace {

constexpr std::string_view kPattern = "XXXXXX";
constexpr int kMaxTries = 100;

/// For errno, in which every function here leaves its reason.
int errno_of(DWORD error) {
  switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_INVALID_DRIVE:
      return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
    case ERROR_PRIVILEGE_NOT_HELD:
      return EACCES;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
      return EEXIST;
    case ERROR_WRITE_PROTECT:
      return EROFS;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      return ENOSPC;
    case ERROR_DIR_NOT_EMPTY:
      return ENOTEMPTY;
    case ERROR_FILENAME_EXCED_RANGE:
      return ENAMETOOLONG;
    default:
      return EIO;
  }
}

bool done(BOOL success) {
  if (success == 0) errno = errno_of(GetLastError());
  return success != 0;
}

bool private_mode(Mode mode) { return (mode & 077U) == 0; }

/// `path` with another name in the place of its XXXXXX.
std::string unique_name(const std::string& path) {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::random_device random;
  std::string name = path.substr(0, path.size() - kPattern.size());
  for (std::size_t i = 0; i < kPattern.size(); ++i) name += kLetters[random() % kLetters.size()];
  return name;
}

/// Calls `create` with one name after the other, until there is nothing by that name.
template <typename Create>
auto create_unique(std::string& path, Create create) {
  const std::string pattern = path;
  for (int tries = 1;; ++tries) {
    path = unique_name(pattern);
    const auto made = create(path);
    if (made || errno != EEXIST || tries == kMaxTries) return made;
  }
}

}  // namespace

int open_to_read(const std::string& path) {
  HANDLE file = CreateFileW(path_of(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                            nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (!done(file != INVALID_HANDLE_VALUE)) return -1;
  return _open_osfhandle(reinterpret_cast<std::intptr_t>(file), _O_RDONLY | _O_BINARY);
}

int create_file(const std::string& path, Mode mode) {
  const PrivateDescriptor descriptor;
  SECURITY_ATTRIBUTES attributes{sizeof attributes, private_mode(mode) ? descriptor.get() : nullptr, FALSE};
  HANDLE file = CreateFileW(path_of(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, &attributes,
                            CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (!done(file != INVALID_HANDLE_VALUE)) return -1;
  return _open_osfhandle(reinterpret_cast<std::intptr_t>(file), _O_WRONLY | _O_BINARY);
}

int create_unique_file(std::string& path, Mode mode) {
  int file = -1;
  create_unique(path, [&file, mode](const std::string& name) {
    file = create_file(name, mode);
    return file >= 0;
  });
  return file;
}

bool flush(int descriptor) { return _commit(descriptor) == 0; }
void close_file(int descriptor) { _close(descriptor); }

bool replace_file_by(const std::string& path, const std::string& successor) {
  return done(MoveFileExW(path_of(successor).c_str(), path_of(path).c_str(),
                          MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH));
}

bool renew_file_by(const std::string& path, const std::string& successor) {
  if (!exists(path)) return replace_file_by(path, successor);
  return done(ReplaceFileW(path_of(path).c_str(), path_of(successor).c_str(), nullptr, REPLACEFILE_IGNORE_MERGE_ERRORS,
                           nullptr, nullptr));
}

bool remove_file(const std::string& path) { return done(DeleteFileW(path_of(path).c_str())); }

bool make_folder(const std::string& path, Mode mode) {
  const PrivateDescriptor descriptor;
  SECURITY_ATTRIBUTES attributes{sizeof attributes, private_mode(mode) ? descriptor.get() : nullptr, FALSE};
  return done(CreateDirectoryW(path_of(path).c_str(), &attributes));
}

bool make_unique_folder(std::string& path) {
  return create_unique(path, [](const std::string& name) { return make_folder(name, 0700); });
}

// A folder's rules come from the one that it is in, and those that every user's programs read let everyone in.
void share_folder(const std::string& /*path*/) {}
bool remove_folder(const std::string& path) { return done(RemoveDirectoryW(path_of(path).c_str())); }

FileStatus file_status(const std::string& path) {
  const FileHandle file(path, FILE_READ_ATTRIBUTES | READ_CONTROL, FILE_FLAG_BACKUP_SEMANTICS);
  if (!file.valid()) return {!is_missing(GetLastError()), false, false, 0};
  BY_HANDLE_FILE_INFORMATION information{};
  const bool folder = GetFileInformationByHandle(file.get(), &information) != 0 &&
                      (information.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  return {true, GetFileType(file.get()) == FILE_TYPE_DISK && !folder, owner_is_trusted(file.get()), 0644};
}

bool is_readable(const std::string& path) { return FileHandle(path, GENERIC_READ, FILE_FLAG_BACKUP_SEMANTICS).valid(); }

bool runs_as_root() { return false; }

}  // namespace devtrust::cli
