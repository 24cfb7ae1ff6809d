#include <windows.h>

#include <openssl/crypto.h>

#include <array>

#include "cli/ask.h"
#include "cli/streams.h"

namespace devtrust::cli {
namespace {

constexpr DWORD kMaxLine = 2048;

HANDLE open_console() {
  return CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
                     OPEN_EXISTING, 0, nullptr);
}

/// Ctrl+C ends the wait instead of the process, which has to give the console its echo back first.
class Interruptible {
 public:
  Interruptible() { SetConsoleCtrlHandler(handle, TRUE); }
  ~Interruptible() { SetConsoleCtrlHandler(handle, FALSE); }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  static BOOL WINAPI handle(DWORD event) { return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT ? TRUE : FALSE; }
};

SecureBytes to_secure_utf8(const wchar_t* text, int length) {
  SecureBytes bytes(static_cast<std::size_t>(length) * 3);  // no unit of UTF-16 takes more
  const int size = WideCharToMultiByte(CP_UTF8, 0, text, length, reinterpret_cast<char*>(bytes.data()),
                                       static_cast<int>(bytes.size()), nullptr, nullptr);
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

}  // namespace

Answer ask_password(const std::string& description, const std::string& error) {
  Answer answer;
  HANDLE console = open_console();
  if (console == INVALID_HANDLE_VALUE) return answer;
  DWORD before = 0;
  if (GetConsoleMode(console, &before) != 0) {
    const Interruptible interruptible;
    // Before the prompt: what is typed at it must neither be shown nor thrown away.
    SetConsoleMode(console, ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT);
    FlushConsoleInputBuffer(console);
    write_to_terminal((error.empty() ? description : error) + "\nPassword: ");
    std::array<wchar_t, kMaxLine> line{};
    DWORD got = 0;
    const bool read = ReadConsoleW(console, line.data(), kMaxLine, &got, nullptr) != 0;
    SetConsoleMode(console, before);
    write_to_terminal("\n");
    if (read && got > 0) {
      while (got > 0 && (line.at(got - 1) == L'\n' || line.at(got - 1) == L'\r')) --got;
      answer.password = to_secure_utf8(line.data(), static_cast<int>(got));
    } else {
      answer.cancelled = true;  // the end of input, or Ctrl+C
    }
    OPENSSL_cleanse(line.data(), sizeof line);
  }
  CloseHandle(console);
  return answer;
}

}  // namespace devtrust::cli
