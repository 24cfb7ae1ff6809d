#include "identity/trace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>

#include "identity/bytes.h"
#include "identity/process.h"
#include "identity/timestamp.h"

namespace devtrust {
namespace internal {
std::atomic<bool> trace_on{false};
}

namespace {

/// A destination that was opened once. Kept for ever: another thread may be writing to it at any moment.
struct Target {
  std::string destination;
  int descriptor = -1;  ///< -1: nowhere
  dev_t device = 0;
  ino_t inode = 0;
  const Target* older = nullptr;
};

// No lock guards these: a fork in another thread could leave it locked in the child.
std::atomic<const Target*> newest{nullptr};
std::atomic<const Target*> chosen{nullptr};

/// Hosts close descriptors that they do not know, and the number may be one of their own files by now; or somebody has
/// deleted the trace.
bool usable(const Target& target) {
  if (target.descriptor == STDERR_FILENO) return true;
  struct stat status {};
  return fstat(target.descriptor, &status) == 0 && status.st_dev == target.device && status.st_ino == target.inode &&
         status.st_nlink > 0;
}

std::unique_ptr<Target> open_target(const std::string& destination) {
  auto target = std::make_unique<Target>();
  target->destination = destination;
  if (destination == "1") {
    target->descriptor = STDERR_FILENO;
    return target;
  }
  const int file = open(expand_home(destination).c_str(),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
  if (file < 0) return target;
  struct stat status {};
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid()) {
    // Not in the place of a standard stream that the host has closed.
    target->descriptor = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    target->device = status.st_dev;
    target->inode = status.st_ino;
  }
  close(file);
  return target;
}

const Target* select(const std::string& destination) {
  const Target* target = nullptr;
  if (!destination.empty()) {
    for (target = newest.load(std::memory_order_acquire); target != nullptr; target = target->older) {
      if (target->destination == destination && usable(*target)) break;
    }
    if (target == nullptr) {
      auto opened = open_target(destination);
      if (opened->descriptor >= 0) {
        opened->older = newest.load(std::memory_order_acquire);
        while (!newest.compare_exchange_weak(opened->older, opened.get(), std::memory_order_acq_rel)) {
        }
        target = opened.release();
      }
    }
  }
  chosen.store(target, std::memory_order_release);
  internal::trace_on.store(target != nullptr, std::memory_order_release);
  return target;
}

std::string escaped(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto octet = static_cast<std::uint8_t>(line[i]);
    // Terminals obey U+0080 to U+009F, too: in UTF-8 these begin with C2.
    const bool c1 = octet == 0xC2 && i + 1 < line.size() && static_cast<std::uint8_t>(line[i + 1]) < 0xA0;
    if (octet >= 0x20 && octet != 0x7F && !c1) {
      text += line[i];
    } else {
      text += "\\x" + to_hex(ByteView(&octet, 1));
    }
  }
  return text;
}

}  // namespace

void set_trace(const std::string& destination) {
  const std::string wanted = environment("DEVTRUST_TRACE");
  select(wanted.empty() ? destination : wanted);
}

void trace(std::string_view line) {
  const Target* target = chosen.load(std::memory_order_acquire);
  if (target == nullptr) return;
  if (!usable(*target) && (target = select(target->destination)) == nullptr) return;
  const std::string text = utc_timestamp() + ' ' + std::to_string(getpid()) + ' ' +
                           std::to_string(syscall(SYS_gettid)) + ' ' + escaped(line) + '\n';
  // One write: lines of several threads and processes do not mix.
  static_cast<void>(!write(target->descriptor, text.data(), text.size()));
}

}  // namespace devtrust
