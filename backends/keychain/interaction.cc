#include "backends/keychain/interaction.h"

#include <condition_variable>
#include <mutex>

#include "backends/keychain/security.h"

namespace devtrust {
namespace {

struct State {
  std::mutex mutex;
  std::condition_variable quiet_ended;
  int silent = 0, asking = 0;
  bool before = true;  // what the setting was before the first became silent
};

/// Never destroyed: a host's threads may outlive its static objects.
State& state() {
  static auto* const kState = new State;
  return *kState;
}

}  // namespace

Silence::Silence() {
  State& shared = state();
  const std::lock_guard guard(shared.mutex);
  counted_ = shared.asking == 0;
  if (!counted_ || shared.silent++ > 0) return;
  shared.before = security::interaction_allowed().value_or(true);
  if (shared.before) security::allow_interaction(false);
}

Silence::~Silence() {
  if (!counted_) return;
  State& shared = state();
  const std::lock_guard guard(shared.mutex);
  if (--shared.silent > 0) return;
  if (shared.before) security::allow_interaction(true);
  shared.quiet_ended.notify_all();
}

Asking::Asking() {
  State& shared = state();
  std::unique_lock guard(shared.mutex);
  shared.quiet_ended.wait(guard, [&] { return shared.silent == 0; });
  ++shared.asking;
}

Asking::~Asking() {
  State& shared = state();
  const std::lock_guard guard(shared.mutex);
  --shared.asking;
}

}  // namespace devtrust
