#include <windows.h>

#include <utility>

#include "identity/access_control_windows.h"
#include "identity/append_file.h"
#include "identity/system_error_windows.h"
#include "identity/utf16.h"

namespace devtrust {
namespace {

// NOLINTNEXTLINE(performance-no-int-to-ptr): the common header has it as a number
HANDLE handle_of(std::intptr_t handle) { return reinterpret_cast<HANDLE>(handle); }

tl::unexpected<Error> failed() { return fail(ErrorCode::kIo, system_message(GetLastError())); }

}  // namespace

Result<AppendFile> AppendFile::open(const std::string& path) {
  const PrivateDescriptor descriptor;
  SECURITY_ATTRIBUTES attributes{sizeof attributes, descriptor.get(), FALSE};
  HANDLE opened =
      CreateFileW(to_utf16(path).c_str(), FILE_APPEND_DATA | READ_CONTROL | SYNCHRONIZE | FILE_READ_ATTRIBUTES,
                  FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &attributes, OPEN_ALWAYS,
                  FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, nullptr);
  if (opened == INVALID_HANDLE_VALUE) return failed();
  AppendFile file;
  file.handle_ = reinterpret_cast<std::intptr_t>(opened);
  file.owned_ = true;
  BY_HANDLE_FILE_INFORMATION information{};
  if (GetFileType(opened) != FILE_TYPE_DISK || GetFileInformationByHandle(opened, &information) == 0 ||
      (information.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) != 0) {
    return fail(ErrorCode::kIo, "it is not a regular file");
  }
  if (!owner_is_trusted(opened)) return fail(ErrorCode::kAccessDenied, "it belongs to another user");
  file.volume_ = information.dwVolumeSerialNumber;
  file.file_ = (std::uint64_t{information.nFileIndexHigh} << 32U) | information.nFileIndexLow;
  return file;
}

AppendFile AppendFile::standard_error() {
  AppendFile file;
  file.handle_ = reinterpret_cast<std::intptr_t>(GetStdHandle(STD_ERROR_HANDLE));
  return file;
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : handle_(other.handle_), volume_(other.volume_), file_(other.file_), owned_(std::exchange(other.owned_, false)) {}

AppendFile::~AppendFile() {
  if (owned_) CloseHandle(handle_of(handle_));
}

Result<void> AppendFile::write(std::string_view line) const {
  DWORD written = 0;
  if (WriteFile(handle_of(handle_), line.data(), static_cast<DWORD>(line.size()), &written, nullptr) == 0)
    return failed();
  if (written != line.size()) return fail(ErrorCode::kIo, system_message(ERROR_DISK_FULL));
  return {};
}

bool AppendFile::usable() const {
  if (!owned_) return true;
  BY_HANDLE_FILE_INFORMATION information{};
  return GetFileInformationByHandle(handle_of(handle_), &information) != 0 && information.nNumberOfLinks > 0 &&
         information.dwVolumeSerialNumber == volume_ &&
         ((std::uint64_t{information.nFileIndexHigh} << 32U) | information.nFileIndexLow) == file_;
}

}  // namespace devtrust
