#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cwctype>
#include <thread>

#include "cli/file_system.h"
#include "cli/installation.h"
#include "cli/programs.h"
#include "cli/subprocess.h"
#include "identity/system_error_windows.h"
#include "identity/utf16.h"

namespace devtrust::cli {
namespace {

constexpr std::size_t kMaxErrors = 65536;

class Handle {
 public:
  Handle() = default;
  ~Handle() { reset(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  HANDLE get() const { return value_; }
  HANDLE* out() { return &value_; }
  void reset() {
    if (value_ != nullptr) CloseHandle(value_);
    value_ = nullptr;
  }

 private:
  HANDLE value_ = nullptr;
};

struct Pipe {
  Handle reading, writing;

  /// `inherited`: the end that the program gets.
  bool open(Handle Pipe::*inherited) {
    return CreatePipe(reading.out(), writing.out(), nullptr, 0) != 0 &&
           SetHandleInformation((this->*inherited).get(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) != 0;
  }
};

/// A word of a command line, as the C runtime takes it apart.
std::wstring quoted(const std::string& word) {
  std::wstring text = to_utf16(word);
  if (!text.empty() && text.find_first_of(L" \t\n\v\"") == std::wstring::npos) return text;
  std::wstring out = L"\"";
  std::size_t backslashes = 0;
  for (const wchar_t c : text) {
    if (c == L'\\') {
      ++backslashes;
      continue;
    }
    out.append(c == L'"' ? backslashes * 2 + 1 : backslashes, L'\\');
    backslashes = 0;
    out += c;
  }
  out.append(backslashes * 2, L'\\');
  return out + L'"';
}

std::wstring command_line(const std::vector<std::string>& argv) {
  std::wstring line;
  for (const std::string& word : argv) line += (line.empty() ? L"" : L" ") + quoted(word);
  return line;
}

std::wstring upper_case(std::wstring text) {
  std::ranges::transform(text, text.begin(), [](wchar_t c) { return static_cast<wchar_t>(std::towupper(c)); });
  return text;
}

/// Our own environment, with these in the place of those that have the same name: "NAME=value", each ended by a null.
std::wstring environment_with(const Variables& variables) {
  std::vector<std::wstring> all;
  std::vector<std::wstring> names;
  for (const auto& [name, value] : variables) {
    std::wstring& variable = all.emplace_back(to_utf16(name));
    names.push_back(upper_case(variable));
    variable.append(1, L'=').append(to_utf16(value));
  }
  wchar_t* own = GetEnvironmentStringsW();
  for (const wchar_t* at = own; at != nullptr && *at != L'\0'; at += all.back().size() + 1) {
    all.emplace_back(at);
  }
  FreeEnvironmentStringsW(own);
  std::wstring block;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::wstring name = upper_case(all[i].substr(0, all[i].find(L'=', 1)));
    if (i >= names.size() && std::ranges::find(names, name) != names.end()) continue;
    block.append(all[i]).push_back(L'\0');
  }
  block.push_back(L'\0');
  return block;
}

/// The program's file. Never one of the folder that we happen to stand in, which Windows would take first.
Result<std::string> find_program(const std::string& name) {
  const bool path = name.find_first_of("/\\:") != std::string::npos;
  std::string file = path ? executable(name) : installed_path(name);
  if (file.empty()) return fail(ErrorCode::kNotFound, name + " cannot be started: No such file or directory");
  return file;
}

/// Those of our handles that the program inherits, and no others.
class Inheritance {
 public:
  explicit Inheritance(std::vector<HANDLE> handles) : handles_(std::move(handles)) {
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    storage_.resize(size);
    auto* list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(storage_.data());
    if (InitializeProcThreadAttributeList(list, 1, 0, &size) == 0) return;
    list_ = list;
    UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles_.data(),
                              handles_.size() * sizeof(HANDLE), nullptr, nullptr);
  }
  ~Inheritance() {
    if (list_ != nullptr) DeleteProcThreadAttributeList(list_);
  }
  Inheritance(const Inheritance&) = delete;
  Inheritance& operator=(const Inheritance&) = delete;
  LPPROC_THREAD_ATTRIBUTE_LIST list() const { return list_; }

 private:
  std::vector<HANDLE> handles_;
  std::vector<unsigned char> storage_;
  LPPROC_THREAD_ATTRIBUTE_LIST list_ = nullptr;
};

/// `streams`: its standard input, output and error; empty: ours.
Result<void> spawn(const std::vector<std::string>& argv, const Variables& variables, const std::vector<HANDLE>& streams,
                   Handle& process) {
  const auto program = find_program(argv[0]);
  if (!program) return fail(program);
  std::wstring line = command_line(argv);
  std::wstring block = environment_with(variables);
  STARTUPINFOEXW start{};
  start.StartupInfo.cb = sizeof start;
  const Inheritance inheritance(streams);
  DWORD flags = CREATE_UNICODE_ENVIRONMENT;
  if (!streams.empty()) {
    flags |= EXTENDED_STARTUPINFO_PRESENT;
    // Where there is no console yet, none is to appear.
    if (GetConsoleCP() == 0) flags |= CREATE_NO_WINDOW;
    start.lpAttributeList = inheritance.list();
    start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    start.StartupInfo.hStdInput = streams[0];
    start.StartupInfo.hStdOutput = streams[1];
    start.StartupInfo.hStdError = streams[2];
  } else {
    start.StartupInfo.cb = sizeof start.StartupInfo;
  }
  PROCESS_INFORMATION started{};
  if (CreateProcessW(path_of(*program).make_preferred().c_str(), line.data(), nullptr, nullptr, TRUE, flags,
                     block.data(), nullptr, &start.StartupInfo, &started) == 0) {
    const DWORD error = GetLastError();
    return fail(error == ERROR_FILE_NOT_FOUND ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
                argv[0] + " cannot be started: " + system_message(error));
  }
  CloseHandle(started.hThread);
  *process.out() = started.hProcess;
  return {};
}

int wait_for(const Handle& process) {
  DWORD code = 0;
  WaitForSingleObject(process.get(), INFINITE);
  GetExitCodeProcess(process.get(), &code);
  return static_cast<int>(code);
}

/// All of it, and keeps `limit` bytes.
void read_to_end(const Handle& pipe, std::size_t limit, std::string& into) {
  std::array<char, 16384> buffer{};
  DWORD got = 0;
  while (ReadFile(pipe.get(), buffer.data(), static_cast<DWORD>(buffer.size()), &got, nullptr) != 0 && got > 0) {
    if (into.size() < limit) into.append(buffer.data(), got);
  }
}

/// A program that ends before it has read all does not want more.
void write_to_end(Handle& pipe, std::string_view text) {
  while (!text.empty()) {
    DWORD written = 0;
    const DWORD size = static_cast<DWORD>(std::min<std::size_t>(text.size(), 65536));
    if (WriteFile(pipe.get(), text.data(), size, &written, nullptr) == 0) break;
    text.remove_prefix(written);
  }
  pipe.reset();
}

BOOL WINAPI ignore(DWORD /*event*/) { return TRUE; }

}  // namespace

Result<Ended> run(const std::vector<std::string>& argv, std::string_view given, const Variables& variables) {
  Pipe input;
  Pipe output;
  Pipe errors;
  if (!input.open(&Pipe::reading) || !output.open(&Pipe::writing) || !errors.open(&Pipe::writing))
    return fail(ErrorCode::kInternal, "no pipe: " + system_message(GetLastError()));
  Handle process;
  auto started = spawn(argv, variables, {input.reading.get(), output.writing.get(), errors.writing.get()}, process);
  if (!started) return fail(started);
  input.reading.reset();
  output.writing.reset();
  errors.writing.reset();
  Ended ended;
  std::thread writer([&input, given] { write_to_end(input.writing, given); });
  std::thread reader([&errors, &ended] { read_to_end(errors.reading, kMaxErrors, ended.errors); });
  read_to_end(output.reading, std::string::npos, ended.output);
  writer.join();
  reader.join();
  ended.code = wait_for(process);
  return ended;
}

// The console's events reach every program that is on it: this one is to go on, and to tidy up.
struct Foreground::Held {};
Foreground::Foreground() { SetConsoleCtrlHandler(ignore, TRUE); }
Foreground::~Foreground() { SetConsoleCtrlHandler(ignore, FALSE); }

Result<int> Foreground::run(const std::vector<std::string>& argv, const Variables& variables) {
  Handle process;
  auto started = spawn(argv, variables, {}, process);
  if (!started) return fail(started);
  return wait_for(process);
}

}  // namespace devtrust::cli
