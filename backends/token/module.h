// A PKCS#11 module of somebody else's, loaded and initialised.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "identity/foreign_call.h"
#include "identity/result.h"
#include "pkcs11/cryptoki.h"

namespace devtrust {

/// One for each file in a process, shared by the stores that stand on it; a forked child opens its own. Thread-safe.
/// Finalised with the last store, unless the host had initialised it before.
class Module {
 public:
  /// `init_args`: what C_Initialize gets as pReserved; may be empty. kInvalidConfig where the module would lead back to
  /// devtrust or is open with other arguments already.
  static Result<std::shared_ptr<Module>> open(const std::string& path, const std::string& init_args);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// One of its functions, which may be missing.
  template <typename Function, typename... Arguments>
  CK_RV call(Function CK_FUNCTION_LIST::*name, Arguments... arguments) {
    const Function function = functions_->*name;
    if (function == nullptr) return CKR_FUNCTION_NOT_SUPPORTED;
    if (process_exits()) return CKR_GENERAL_ERROR;
    // What cannot lock has one caller at a time.
    std::shared_lock together(mutex_, std::defer_lock);
    std::unique_lock alone(mutex_, std::defer_lock);
    locks_ ? together.lock() : alone.lock();
    const ForeignCall inside;
    const CK_RV rv = function(arguments...);
    if (ForeignCall::came_back()) leads_back_ = true;
    return rv;
  }

  /// Raised whenever all sessions and handles became void.
  std::uint64_t epoch() const { return epoch_; }
  /// After CKR_CRYPTOKI_NOT_INITIALIZED: somebody else finalised it. `seen`: the epoch in which that was; another
  /// thread may have mended it.
  Result<void> initialize_again(std::uint64_t seen);
  /// Whether it was initialised here, so that nobody else's sessions end when it is started anew.
  bool ours() const { return ours_; }
  /// Finalises and initialises it: what a module's lost connection takes. Only where it is ours.
  Result<void> restart(std::uint64_t seen);
  /// kInvalidConfig where a call led back to devtrust.
  Result<void> check() const;

 private:
  Module(std::string path, std::string init_args, CK_FUNCTION_LIST* functions);
  /// Whether exit() has begun: the module's own objects may be destroyed by now, while libcrypto, say, still unloads
  /// us.
  static bool process_exits();
  /// The caller holds `mutex_` or is the only one.
  Result<void> initialize();

  const std::string path_, init_args_;
  CK_FUNCTION_LIST* const functions_;
  const std::uint64_t fork_;
  std::shared_mutex mutex_;  // shared: calls; alone: initialising
  std::atomic<std::uint64_t> epoch_{1};
  std::atomic<bool> ours_{false}, locks_{true}, leads_back_{false};
};

}  // namespace devtrust
