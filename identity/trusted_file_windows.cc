#include "identity/access_control_windows.h"
#include "identity/handle_windows.h"
#include "identity/system_error_windows.h"
#include "identity/trusted_file.h"
#include "identity/utf16.h"

namespace devtrust {
namespace {

/// The folder that the file really lies in, where somebody else may put another file in its place. Empty where all is
/// well.
std::string open_folder(const FileHandle& file, const std::string& path) {
  std::wstring folder(32768, L'\0');
  folder.resize(GetFinalPathNameByHandleW(file.get(), folder.data(), static_cast<DWORD>(folder.size()), 0));
  folder.resize(folder.find_last_of(L'\\') + 1);
  const FileHandle handle(to_utf8(folder), READ_CONTROL, FILE_FLAG_BACKUP_SEMANTICS);
  if (!handle.valid()) return path;
  if (owner_is_trusted(handle.get()) && !writable_by_others(handle.get())) return {};
  return to_utf8(folder);
}

template <typename Buffer>
Result<Buffer> read_trusted(const std::string& path, std::size_t limit) {
  const FileHandle file(path, GENERIC_READ | READ_CONTROL, FILE_FLAG_BACKUP_SEMANTICS);  // opens folders, too
  if (!file.valid()) {
    const DWORD error = GetLastError();
    return fail(is_missing(error) ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
                path + " cannot be opened: " + system_message(error));
  }
  LARGE_INTEGER size{};
  if (!is_regular_file(file) || GetFileSizeEx(file.get(), &size) == 0) {
    return fail(ErrorCode::kInvalidConfig, path + " is not a regular file");
  }
  if (!owner_is_trusted(file.get())) {
    return fail(ErrorCode::kInvalidConfig,
                path + " belongs neither to administrators nor to this user, so it is not believed: change its owner");
  }
  if (writable_by_others(file.get())) {
    return fail(
        ErrorCode::kInvalidConfig,
        path + " may be written by others than its owner, so it is not believed: take that right away with icacls");
  }
  if (const std::string folder = open_folder(file, path); !folder.empty()) {
    return fail(ErrorCode::kInvalidConfig, path + " is not believed, since others may replace it in " + folder +
                                               ": take their right to delete there away from that folder");
  }
  if (static_cast<std::uint64_t>(size.QuadPart) > limit) {
    return fail(ErrorCode::kInvalidConfig, path + " is longer than " + std::to_string(limit) + " bytes");
  }
  Buffer content(static_cast<std::size_t>(size.QuadPart) + 1, {});
  std::size_t length = 0;
  while (length < content.size()) {
    DWORD got = 0;
    if (ReadFile(file.get(), content.data() + length, static_cast<DWORD>(content.size() - length), &got, nullptr) ==
        0) {
      return fail(ErrorCode::kIo, path + " cannot be read: " + system_message(GetLastError()));
    }
    if (got == 0) break;
    length += got;
  }
  if (length == content.size()) return fail(ErrorCode::kIo, path + " grew while it was read: try again");
  content.resize(length);
  return content;
}

}  // namespace

Result<std::string> read_trusted_text(const std::string& path, std::size_t limit) {
  return read_trusted<std::string>(path, limit);
}

Result<SecureBytes> read_trusted_secret(const std::string& path, std::size_t limit) {
  return read_trusted<SecureBytes>(path, limit);
}

}  // namespace devtrust
