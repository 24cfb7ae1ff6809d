#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "cli/streams.h"
#include "identity/utf16.h"

namespace devtrust::cli {
namespace {

// NOLINTNEXTLINE(performance-no-int-to-ptr): the C runtime gives handles as numbers
HANDLE handle_of(int descriptor) { return reinterpret_cast<HANDLE>(_get_osfhandle(descriptor)); }

/// Neither closed, nor one of a program that has no console (-2).
bool is_open(int descriptor) {
  const std::intptr_t handle = _get_osfhandle(descriptor);
  return handle != -1 && handle != -2;
}

bool write_console(HANDLE console, std::string_view text) {
  const std::wstring wide = to_utf16(text);
  std::wstring_view rest = wide;
  while (!rest.empty()) {
    DWORD written = 0;
    const DWORD size = static_cast<DWORD>(std::min<std::size_t>(rest.size(), 8192));
    if (WriteConsoleW(console, rest.data(), size, &written, nullptr) == 0 || written == 0) {
      errno = EIO;
      return false;
    }
    rest.remove_prefix(written);
  }
  return true;
}

}  // namespace

void prepare_streams() {
  // A descriptor that is not open is an error to be said, not the end of the program.
  _set_invalid_parameter_handler([](const wchar_t*, const wchar_t*, const wchar_t*, unsigned, std::uintptr_t) {});
  for (const int descriptor : {kStandardInput, kStandardOutput, kStandardError}) {
    if (!is_open(descriptor)) {
      const int nothing = _wopen(L"NUL", descriptor == kStandardInput ? _O_WRONLY : _O_RDONLY);
      if (nothing < 0) std::exit(1);
      if (nothing != descriptor) {
        _dup2(nothing, descriptor);
        _close(nothing);
      }
    }
    _setmode(descriptor, _O_BINARY);
  }
}

bool write_all(int descriptor, std::string_view text) {
  if (is_terminal(descriptor)) return write_console(handle_of(descriptor), text);
  while (!text.empty()) {
    const unsigned size = static_cast<unsigned>(std::min<std::size_t>(text.size(), 65536));
    const int written = _write(descriptor, text.data(), size);
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::ptrdiff_t read_some(int descriptor, std::uint8_t* buffer, std::size_t size) {
  return _read(descriptor, buffer, static_cast<unsigned>(std::min<std::size_t>(size, 65536)));
}

bool may_be_written(int descriptor) {
  bool may = false;
  // A handle's rights can be asked for only by taking them.
  for (const DWORD right : {FILE_WRITE_DATA, FILE_APPEND_DATA}) {
    HANDLE copy = nullptr;
    if (!is_open(descriptor) ||
        DuplicateHandle(GetCurrentProcess(), handle_of(descriptor), GetCurrentProcess(), &copy, right, FALSE, 0) == 0) {
      continue;
    }
    CloseHandle(copy);
    may = true;
  }
  if (!may) errno = EBADF;
  return may;
}

bool is_terminal(int descriptor) {
  DWORD mode = 0;
  return is_open(descriptor) && GetConsoleMode(handle_of(descriptor), &mode) != 0;
}

bool has_colours(int descriptor) {
  const char* term = std::getenv("TERM");
  if (term != nullptr && std::string_view(term) == "dumb") return false;
  DWORD mode = 0;
  if (!is_open(descriptor) || GetConsoleMode(handle_of(descriptor), &mode) == 0) return false;
  return SetConsoleMode(handle_of(descriptor), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0;
}

void write_to_terminal(std::string_view text) {
  HANDLE console = CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
                               OPEN_EXISTING, 0, nullptr);
  if (console == INVALID_HANDLE_VALUE) return;
  write_console(console, text);
  CloseHandle(console);
}

}  // namespace devtrust::cli
