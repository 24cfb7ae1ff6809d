// One loaded provider: what libcrypto's core gave it, its section of openssl.cnf, and the catalog behind it.
#pragma once

#include <openssl/core.h>
#include <openssl/core_dispatch.h>

#include <atomic>
#include <exception>
#include <memory>
#include <string>

#include "identity/audit.h"
#include "identity/catalog.h"
#include "identity/process.h"
#include "identity/trace.h"

namespace devtrust::provider {

/// Thread-safe. Lives from OSSL_provider_init to its teardown; libcrypto keeps it for as long as a key, a loader or an
/// operation of it is left.
class Provider {
 public:
  /// `functions`: the core's; ends with a zero.
  Provider(const OSSL_CORE_HANDLE* core, const OSSL_DISPATCH* functions);
  ~Provider();
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  /// Whether this provider answers pkcs11: URIs (`pkcs11-uris = yes` in its section): another one may.
  bool pkcs11_uris() const { return pkcs11_uris_; }

  /// The newest snapshot. kInvalidConfig where the configuration cannot be used.
  Result<std::shared_ptr<const Snapshot>> snapshot();
  /// The audit of the configuration; null where that cannot be used.
  std::shared_ptr<const Audit> audit();

  /// Puts `error` on the error queue of the caller's thread: provider-base(7), "Core functions".
  void raise(const Error& error) const;
  /// The next line of `bio`, which is the core's, with its end; of one too long for PEM a part. False at the end.
  bool read_line(OSSL_CORE_BIO* bio, std::string& line) const;
  bool write(OSSL_CORE_BIO* bio, std::string_view text) const;

 private:
  struct Process;
  Process& process();

  const OSSL_CORE_HANDLE* const core_;
  OSSL_FUNC_core_new_error_fn* new_error_ = nullptr;
  OSSL_FUNC_core_set_error_debug_fn* set_error_debug_ = nullptr;
  OSSL_FUNC_core_vset_error_fn* vset_error_ = nullptr;
  OSSL_FUNC_BIO_gets_fn* bio_gets_ = nullptr;
  OSSL_FUNC_BIO_write_ex_fn* bio_write_ = nullptr;
  std::string config_;  // the section's `config`: a file, or empty
  bool pkcs11_uris_ = false;
  std::atomic<Process*> process_{nullptr};
};

/// Numbers and texts for the error queue; ends with a zero.
const OSSL_ITEM* reasons();

/// What `body` gives, or `failed` where it throws: no exception reaches libcrypto.
template <typename Value, typename Body>
Value guarded(const Provider& provider, Value failed, const Body& body) noexcept {
  const NoCancellation guard;
  try {
    return body();
  } catch (const std::exception& thrown) {
    provider.raise({ErrorCode::kInternal, thrown.what()});
  } catch (...) {
    provider.raise({ErrorCode::kInternal, "an exception of an unknown type"});
  }
  return failed;
}

/// 1, or 0 with the error on the queue, and on the trace: libcrypto drops some.
template <typename T>
int succeeded(const Provider& provider, const Result<T>& result) {
  if (result) return 1;
  if (trace_enabled()) trace("provider: " + result.error().message);
  provider.raise(result.error());
  return 0;
}

}  // namespace devtrust::provider
