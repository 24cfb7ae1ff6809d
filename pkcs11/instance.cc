#include "pkcs11/instance.h"

#include <atomic>
#include <bitset>
#include <thread>

#include "identity/fork.h"

namespace devtrust::pkcs11 {
namespace {

constexpr std::size_t kCounters = 64;

}  // namespace

/// Calls that are inside, of the threads that share this counter.
struct alignas(64) Inside {
  std::atomic<std::uint64_t> calls{0};
  Process* process = nullptr;
};

/// A library that C_Finalize took away while calls may still be inside.
struct Retired {
  std::unique_ptr<Library> library;
  std::bitset<kCounters> busy;  // counters that were not yet seen at zero since
};

/// All state of one process. Made by its first C_Initialize and never freed; a child makes its own and leaves the
/// parent's alone, with the locks as they were at the fork. A ThreadInstance has one of its own.
struct Process {
  explicit Process(std::uint64_t number, Process* parent) : fork(number), abandoned(parent) {
    for (Inside& counter : inside) counter.process = this;
  }

  const std::uint64_t fork;
  Process* const abandoned;  // so that leak checkers see that it is not lost
  std::mutex mutex;          // one C_Initialize or C_Finalize at a time
  std::atomic<Library*> current{nullptr};
  std::array<Inside, kCounters> inside;
  std::atomic<bool> retiring{false};
  std::mutex retired_mutex;
  std::vector<Retired> retired;
};

namespace {

constinit std::atomic<Process*> current_process{nullptr};
constinit thread_local Process* of_this_thread = nullptr;

/// This process's state, or null where C_Initialize was never called in it.
Process* this_process() {
  if (of_this_thread != nullptr) return of_this_thread;
  Process* process = current_process.load(std::memory_order_acquire);
  return process != nullptr && process->fork == fork_number() ? process : nullptr;
}

Process& make_process() {
  if (of_this_thread != nullptr) return *of_this_thread;
  while (true) {
    Process* known = current_process.load(std::memory_order_acquire);
    const std::uint64_t number = fork_number();
    if (known != nullptr && known->fork == number) return *known;
    auto made = std::make_unique<Process>(number, known);
    if (current_process.compare_exchange_strong(known, made.get())) return *made.release();
  }
}

/// Destroys what nobody is inside of any more. A counter that is at zero once after the library was taken away cannot
/// count a call that still sees it: later calls find another one, or none.
void sweep(Process& process) {
  std::vector<std::unique_ptr<Library>> gone;
  const std::lock_guard lock(process.retired_mutex);
  for (Retired& retired : process.retired) {
    for (std::size_t i = 0; i < kCounters; ++i) {
      if (retired.busy[i] && process.inside[i].calls.load() == 0) retired.busy.reset(i);
    }
    if (retired.busy.none()) gone.push_back(std::move(retired.library));
  }
  std::erase_if(process.retired, [](const Retired& retired) { return retired.library == nullptr; });
  if (process.retired.empty()) process.retiring = false;
}

void leave(Inside& inside) {
  if (inside.calls.fetch_sub(1) == 1 && inside.process->retiring.load()) sweep(*inside.process);
}

}  // namespace

Answer<> initialize_library(const std::function<std::unique_ptr<Library>()>& open) {
  Process& process = make_process();
  const std::lock_guard lock(process.mutex);
  if (process.current.load() != nullptr) return refuse(CKR_CRYPTOKI_ALREADY_INITIALIZED);
  process.current = open().release();
  return {};
}

Answer<> finalize_library() {
  Process* process = this_process();
  if (process == nullptr) return refuse(CKR_CRYPTOKI_NOT_INITIALIZED);
  const std::lock_guard lock(process->mutex);
  if (process->current.load() == nullptr) return refuse(CKR_CRYPTOKI_NOT_INITIALIZED);
  {
    const std::lock_guard retiring(process->retired_mutex);
    Retired& retired = process->retired.emplace_back();  // may throw: nothing has happened yet
    retired.busy.set();
    retired.library.reset(process->current.exchange(nullptr));
    retired.library->stop();
    process->retiring = true;
  }
  sweep(*process);
  return {};
}

ThreadInstance::ThreadInstance() : process_(std::make_unique<Process>(fork_number(), nullptr)) {
  of_this_thread = process_.get();
}

ThreadInstance::~ThreadInstance() {
  static_cast<void>(finalize_library());
  of_this_thread = nullptr;
}

LibraryUse::LibraryUse() {
  Process* process = this_process();
  if (process == nullptr) return;
  Inside& inside = process->inside[std::hash<std::thread::id>()(std::this_thread::get_id()) % kCounters];
  inside.calls.fetch_add(1);
  library_ = process->current.load();
  if (library_ == nullptr) {
    leave(inside);
    return;
  }
  inside_ = &inside;
}

LibraryUse::~LibraryUse() {
  if (inside_ != nullptr) leave(*inside_);
}

}  // namespace devtrust::pkcs11
