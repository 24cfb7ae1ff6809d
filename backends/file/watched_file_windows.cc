#include <algorithm>

#include "backends/file/watched_file.h"
#include "identity/access_control_windows.h"
#include "identity/handle_windows.h"
#include "identity/system_error_windows.h"

namespace devtrust {
namespace {

constexpr std::int64_t kFrom1601To1970 = 116'444'736'000'000'000;  // in Windows' 100 nanoseconds

std::int64_t nanoseconds(const LARGE_INTEGER& time) { return (time.QuadPart - kFrom1601To1970) * 100; }

}  // namespace

const char* const kCloseToOthers = "take their rights away with icacls";

Result<WatchedFile> read_watched(const std::string& path, std::uint64_t limit) {
  const FileHandle handle(path, GENERIC_READ | READ_CONTROL, FILE_FLAG_BACKUP_SEMANTICS);  // opens folders, too
  if (!handle.valid()) {
    const DWORD error = GetLastError();
    return fail(is_missing(error) ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
                path + (is_missing(error) ? " is not there" : " cannot be opened: " + system_message(error)));
  }
  LARGE_INTEGER size{};
  if (!is_regular_file(handle) || GetFileSizeEx(handle.get(), &size) == 0) {
    return fail(ErrorCode::kCorrupt, path + " is not a regular file");
  }
  if (static_cast<std::uint64_t>(size.QuadPart) > limit) {
    return fail(ErrorCode::kCorrupt, path + " is longer than " + std::to_string(limit >> 20U) + " MiB");
  }
  WatchedFile file{SecureBytes(static_cast<std::size_t>(size.QuadPart)),
                   readable_by_others(handle.get()) || writable_by_others(handle.get())};
  DWORD got = 0;
  if (!file.content.empty() &&
      ReadFile(handle.get(), file.content.data(), static_cast<DWORD>(file.content.size()), &got, nullptr) == 0) {
    return fail(ErrorCode::kIo, path + " cannot be read: " + system_message(GetLastError()));
  }
  file.content.resize(got);
  return file;
}

FileStamp stamp_of(const std::string& path) {
  const FileHandle handle(path, FILE_READ_ATTRIBUTES);
  BY_HANDLE_FILE_INFORMATION identity{};
  FILE_BASIC_INFO times{};
  if (!handle.valid() || GetFileInformationByHandle(handle.get(), &identity) == 0 ||
      GetFileInformationByHandleEx(handle.get(), FileBasicInfo, &times, sizeof times) == 0) {
    return {};
  }
  const std::int64_t modified = nanoseconds(times.LastWriteTime);
  const std::int64_t changed = nanoseconds(times.ChangeTime);
  const std::uint64_t index = (std::uint64_t{identity.nFileIndexHigh} << 32U) | identity.nFileIndexLow;
  return {
      {index ^ identity.dwVolumeSerialNumber, (std::uint64_t{identity.nFileSizeHigh} << 32U) | identity.nFileSizeLow,
       static_cast<std::uint64_t>(modified), static_cast<std::uint64_t>(changed)},
      std::max(modified, changed)};
}

}  // namespace devtrust
