// How SQLite reads NSS databases: without ever writing, and without taking the host's file locks away.
//
// POSIX locks belong to a process and an inode: closing any descriptor of the file drops all of them, also those of a
// host that is in the middle of a write transaction. So descriptors are pooled by device and inode, stay open for as
// long as the process lives, and take open-file-description locks, which are theirs alone.
#pragma once

#include "backends/nss/sqlite_api.h"

namespace devtrust {

/// The name under which `register_vfs` makes it known; never the default VFS.
inline constexpr const char* kVfsName = "devtrust-read-only";

/// Once for each SQLite library in the process. Thread-safe.
Result<void> register_vfs(const SqliteApi& api);

}  // namespace devtrust
