#include <windows.h>

#include <array>
#include <stdexcept>

#include "identity/system_error_windows.h"
#include "identity/utf16.h"
#include "tests/support/access_list.h"
#include "tests/support/command.h"

namespace devtrust::testing {
namespace {

class Handle {
 public:
  Handle() = default;
  explicit Handle(HANDLE handle) : handle_(handle) {}
  ~Handle() { close(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  HANDLE get() const { return handle_; }
  HANDLE* out() { return &handle_; }
  void close() {
    if (handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE) CloseHandle(handle_);
    handle_ = nullptr;
  }

 private:
  HANDLE handle_ = nullptr;
};

/// So that the C runtime of the program that is started takes it apart as one argument again.
std::wstring quoted(const std::wstring& argument) {
  std::wstring text = L"\"";
  std::size_t backslashes = 0;
  for (const wchar_t c : argument) {
    if (c == L'"') text.append(backslashes + 1, L'\\');
    backslashes = c == L'\\' ? backslashes + 1 : 0;
    text += c;
  }
  text.append(backslashes, L'\\');
  return text + L'"';
}

struct OrderOfVariables {
  bool operator()(const std::wstring& a, const std::wstring& b) const {
    return CompareStringOrdinal(a.data(), static_cast<int>(a.size()), b.data(), static_cast<int>(b.size()), TRUE) ==
           CSTR_LESS_THAN;
  }
};

std::wstring environment_block(const std::map<std::string, std::string>& changes) {
  std::map<std::wstring, std::wstring, OrderOfVariables> variables;
  wchar_t* const own = GetEnvironmentStringsW();
  for (const wchar_t* entry = own; *entry != L'\0'; entry += std::wstring_view(entry).size() + 1) {
    const std::wstring_view text(entry);
    const std::size_t equals = text.find(L'=', 1);  // "=C:" is the current folder of drive C
    if (equals != std::wstring_view::npos) variables[std::wstring(text.substr(0, equals))] = text.substr(equals + 1);
  }
  FreeEnvironmentStringsW(own);
  variables[L"OPENSSL_WIN32_UTF8"] = L"1";  // the openssl command then takes its arguments as they are
#ifdef DEVTRUST_OPENSSL_CONFIG
  variables.emplace(L"OPENSSL_CONF", to_utf16(DEVTRUST_OPENSSL_CONFIG));
#endif
  for (const auto& [name, value] : changes) variables[to_utf16(name)] = to_utf16(value);
  std::wstring block;
  for (const auto& [name, value] : variables) block += name + L'=' + value + L'\0';
  return block + L'\0';
}

[[noreturn]] void refuse(const std::string& what) {
  throw std::runtime_error(what + ": " + system_message(GetLastError()));
}

/// The openssl command of the libcrypto that is linked, where it is known.
std::string program(const std::string& name) {
#ifdef DEVTRUST_OPENSSL_PROGRAM
  if (name == "openssl") return DEVTRUST_OPENSSL_PROGRAM;
#endif
  return name;
}

}  // namespace

TempDir::TempDir() {
  for (unsigned number = 0;; ++number) {
    path_ = std::filesystem::temp_directory_path() / ("devtrust-test-" + std::to_string(GetCurrentProcessId()) + '-' +
                                                      std::to_string(GetTickCount64()) + '-' + std::to_string(number));
    if (std::filesystem::create_directory(path_)) return;
  }
}

void make_private(const std::filesystem::path& path) { set_access(path); }

CommandResult run(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment) {
  SECURITY_ATTRIBUTES inherited{sizeof inherited, nullptr, TRUE};
  Handle output;
  Handle output_of_child;
  if (CreatePipe(output.out(), output_of_child.out(), &inherited, 0) == 0) refuse("CreatePipe");
  SetHandleInformation(output.get(), HANDLE_FLAG_INHERIT, 0);
  const Handle nothing(
      CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, nullptr));

  std::wstring command = quoted(to_utf16(program(argv.at(0))));
  for (std::size_t i = 1; i < argv.size(); ++i) command += L' ' + quoted(to_utf16(argv[i]));
  STARTUPINFOW start{};
  start.cb = sizeof start;
  start.dwFlags = STARTF_USESTDHANDLES;
  start.hStdInput = nothing.get();
  start.hStdOutput = output_of_child.get();
  start.hStdError = output_of_child.get();
  PROCESS_INFORMATION process{};
  std::wstring block = environment_block(environment);
  // Without a console, which would be a process of its own.
  constexpr DWORD kFlags = CREATE_UNICODE_ENVIRONMENT | DETACHED_PROCESS;
  // Wine gives a process up now and then, before it has begun.
  for (int attempt = 1; CreateProcessW(nullptr, command.data(), nullptr, nullptr, TRUE, kFlags, block.data(), nullptr,
                                       &start, &process) == 0;
       ++attempt) {
    if (GetLastError() == ERROR_INTERNAL_ERROR && attempt < 3) continue;
    refuse("cannot run " + argv[0]);
  }
  const Handle child(process.hProcess);
  const Handle thread(process.hThread);
  output_of_child.close();

  CommandResult result;
  std::array<char, 65536> buffer{};
  DWORD got = 0;
  while (ReadFile(output.get(), buffer.data(), static_cast<DWORD>(buffer.size()), &got, nullptr) != 0 && got != 0) {
    result.output.append(buffer.data(), got);
  }
  WaitForSingleObject(child.get(), INFINITE);
  DWORD code = 0;
  GetExitCodeProcess(child.get(), &code);
  result.exit_code = static_cast<int>(code);
  return result;
}

}  // namespace devtrust::testing
