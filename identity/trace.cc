#include "identity/trace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <mutex>

#include "identity/process.h"

namespace devtrust {
namespace internal {
std::atomic<bool> trace_on{false};
}

namespace {

std::atomic<int> descriptor{-1};

/// Appends only to a regular file of this user's.
int open_trace(const std::string& destination) {
  if (destination == "1") return STDERR_FILENO;
  const int file = open(expand_home(destination).c_str(),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
  if (file < 0) return -1;
  struct stat status {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
    close(file);
    return -1;
  }
  return file;
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1'000'000;
  std::tm broken{};
  gmtime_r(&seconds, &broken);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &broken);
  std::snprintf(text.data() + length, text.size() - length, ".%06dZ", static_cast<int>(micros));
  return text.data();
}

}  // namespace

void set_trace(const std::string& destination) {
  const std::string wanted = environment("DEVTRUST_TRACE");
  const std::string& chosen = wanted.empty() ? destination : wanted;
  static std::mutex mutex;
  static std::string last;
  const std::lock_guard lock(mutex);
  if (chosen == last) return;
  last = chosen;
  const int next = chosen.empty() ? -1 : open_trace(chosen);
  // The old descriptor stays open: another thread may be writing to it at this moment.
  descriptor.store(next, std::memory_order_release);
  internal::trace_on.store(next >= 0, std::memory_order_release);
}

void trace(std::string_view line) {
  const int file = descriptor.load(std::memory_order_acquire);
  if (file < 0) return;
  std::string text = timestamp() + ' ' + std::to_string(getpid()) + ' ' + std::to_string(syscall(SYS_gettid)) + ' ';
  for (const char c : line) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) {
      text += c;
    } else {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      text += escaped.data();
    }
  }
  text += '\n';
  static_cast<void>(!write(file, text.data(), text.size()));  // one write: lines of several processes do not mix
}

}  // namespace devtrust
