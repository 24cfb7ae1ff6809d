#include "identity/trace.h"

#include "identity/append_file.h"
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
  AppendFile file;
  const Target* older = nullptr;
};

// No lock guards these: a fork in another thread could leave it locked in the child.
std::atomic<const Target*> newest{nullptr};
std::atomic<const Target*> chosen{nullptr};

Result<AppendFile> open_file(const std::string& destination) {
  if (destination == "1") return AppendFile::standard_error();
  return AppendFile::open(expand_home(destination));
}

const Target* keep(const std::string& destination, AppendFile file) {
  auto* const target = new Target{destination, std::move(file)};  // for ever
  target->older = newest.load(std::memory_order_acquire);
  while (!newest.compare_exchange_weak(target->older, target, std::memory_order_acq_rel)) {
  }
  return target;
}

const Target* select(const std::string& destination) {
  const Target* target = nullptr;
  if (!destination.empty()) {
    for (target = newest.load(std::memory_order_acquire); target != nullptr; target = target->older) {
      if (target->destination == destination && target->file.usable()) break;
    }
    if (target == nullptr) {
      if (auto file = open_file(destination)) target = keep(destination, *std::move(file));
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
  if (!target->file.usable() && (target = select(target->destination)) == nullptr) return;
  static_cast<void>(target->file.write(utc_timestamp() + ' ' + std::to_string(process_id()) + ' ' +
                                       std::to_string(thread_id()) + ' ' + escaped(line) + '\n'));
}

}  // namespace devtrust
