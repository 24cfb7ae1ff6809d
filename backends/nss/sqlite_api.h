// SQLite, opened when the first NSS database is read: the module does not link it, and a host's own symbols of the same
// names are never called.
#pragma once

#include <sqlite3.h>

#include <mutex>

#include "identity/fork.h"
#include "identity/result.h"

namespace devtrust {

/// The functions that we use, by their own names without the prefix.
struct SqliteApi {
  decltype(&sqlite3_open_v2) open_v2;
  decltype(&sqlite3_close_v2) close_v2;
  decltype(&sqlite3_prepare_v2) prepare_v2;
  decltype(&sqlite3_step) step;
  decltype(&sqlite3_reset) reset;
  decltype(&sqlite3_finalize) finalize;
  decltype(&sqlite3_bind_blob) bind_blob;
  decltype(&sqlite3_column_type) column_type;
  decltype(&sqlite3_column_blob) column_blob;
  decltype(&sqlite3_column_bytes) column_bytes;
  decltype(&sqlite3_extended_errcode) extended_errcode;
  decltype(&sqlite3_errmsg) errmsg;
  decltype(&sqlite3_busy_timeout) busy_timeout;
  decltype(&sqlite3_progress_handler) progress_handler;
  decltype(&sqlite3_limit) limit;
  decltype(&sqlite3_db_config) db_config;
  decltype(&sqlite3_vfs_register) vfs_register;
  decltype(&sqlite3_vfs_find) vfs_find;
};

/// Thread-safe. Stays loaded for as long as the process lives. kUnsupported where there is no SQLite.
Result<const SqliteApi*> sqlite_api();

/// To be held by whoever calls any of its functions: SQLite has global locks. One thread at a time is inside.
class SqliteUse {
 public:
  SqliteUse();

 private:
  const ForkHold fork_hold_;
  const std::lock_guard<std::mutex> lock_;
};

}  // namespace devtrust
