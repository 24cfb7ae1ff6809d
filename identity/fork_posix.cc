#include "identity/fork.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace devtrust {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

std::atomic<std::uint64_t> forks{0};
std::atomic<std::uint32_t> forking{0};  // threads that are about to
std::atomic<std::uint32_t> holding{0};  // threads that hold
thread_local std::uint32_t held = 0;    // of this thread

std::uint32_t own() { return held > 0 ? 1 : 0; }

void before_fork() {
  forking.fetch_add(1);
  // Bounded: what is held may itself be waiting, for a slow disk or for a thread that forks.
  const auto end = std::chrono::steady_clock::now() + 2s;
  while (holding.load() > own() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(50us);
}

void after_fork_in_parent() {
  forking.fetch_sub(1);
  forking.notify_all();
}

void after_fork_in_child() {
  forks.fetch_add(1, std::memory_order_relaxed);
  holding = own();
  forking = 0;
}

void watch_forks() {
  // No once-guard, which a fork in another thread could leave locked in the child.
  static std::atomic<bool> registered{false};
  if (registered.load(std::memory_order_acquire)) return;
  if (pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0)  // twice does no harm
    registered.store(true, std::memory_order_release);
}

}  // namespace

std::uint64_t fork_number() {
  watch_forks();
  return forks.load(std::memory_order_relaxed);
}

ForkHold::ForkHold() {
  if (held++ > 0) return;
  watch_forks();
  holding.fetch_add(1);
  // Whoever forks says so before it looks who holds, and we the other way round: one of the two sees the other.
  for (std::uint32_t others = forking.load(); others != 0; others = forking.load()) {
    holding.fetch_sub(1);
    forking.wait(others);
    holding.fetch_add(1);
  }
}

ForkHold::~ForkHold() {
  if (--held == 0) holding.fetch_sub(1);
}

}  // namespace devtrust
