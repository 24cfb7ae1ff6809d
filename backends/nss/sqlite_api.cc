#include "backends/nss/sqlite_api.h"

#include <dlfcn.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

namespace devtrust {
namespace {

constexpr const char* kLibrary = "libsqlite3.so.0";

int open_flags() {
  int flags = RTLD_NOW | RTLD_LOCAL;
#ifndef DEVTRUST_SANITIZED  // the sanitizers' runtimes refuse it
  // A host may export SQLite symbols of its own: the library's calls to itself must not reach them.
  flags |= RTLD_DEEPBIND;
#endif
  return flags;
}

std::optional<SqliteApi> load() {
  void* library = dlopen(kLibrary, open_flags());
  if (library == nullptr) return std::nullopt;
  SqliteApi api{};
  bool complete = true;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    complete = complete && function != nullptr;
  };
  find(api.open_v2, "sqlite3_open_v2");
  find(api.close_v2, "sqlite3_close_v2");
  find(api.prepare_v2, "sqlite3_prepare_v2");
  find(api.step, "sqlite3_step");
  find(api.reset, "sqlite3_reset");
  find(api.finalize, "sqlite3_finalize");
  find(api.bind_blob, "sqlite3_bind_blob");
  find(api.column_type, "sqlite3_column_type");
  find(api.column_blob, "sqlite3_column_blob");
  find(api.column_bytes, "sqlite3_column_bytes");
  find(api.extended_errcode, "sqlite3_extended_errcode");
  find(api.errmsg, "sqlite3_errmsg");
  find(api.busy_timeout, "sqlite3_busy_timeout");
  find(api.progress_handler, "sqlite3_progress_handler");
  find(api.limit, "sqlite3_limit");
  find(api.db_config, "sqlite3_db_config");
  find(api.vfs_register, "sqlite3_vfs_register");
  find(api.vfs_find, "sqlite3_vfs_find");
  if (!complete) return std::nullopt;
  return api;
}

std::mutex in_use;

}  // namespace

Result<const SqliteApi*> sqlite_api() {
  // By compare-and-swap, not under a lock: a lock could be held by another thread at the moment of a fork.
  static std::atomic<const SqliteApi*> shared{nullptr};
  const SqliteApi* api = shared.load(std::memory_order_acquire);
  if (api != nullptr) return api;
  const auto loaded = load();
  if (!loaded) {
    return fail(ErrorCode::kUnsupported,
                std::string(kLibrary) + " cannot be loaded, so no NSS database can be read: install SQLite 3");
  }
  auto made = std::make_unique<const SqliteApi>(*loaded);
  if (shared.compare_exchange_strong(api, made.get(), std::memory_order_acq_rel)) api = made.release();
  return api;
}

SqliteUse::SqliteUse() : lock_(in_use) {}

}  // namespace devtrust
