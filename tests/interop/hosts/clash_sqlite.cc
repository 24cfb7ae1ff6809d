// A host with a SQLite of its own whose names it exports: nobody else may end up in it.
#include <cstdio>
#include <cstdlib>

#define CLASH(name)                                               \
  extern "C" __attribute__((visibility("default"))) void name() { \
    std::fputs("the host's " #name " was called\n", stderr);      \
    std::abort();                                                 \
  }

CLASH(sqlite3_libversion_number)
CLASH(sqlite3_initialize)
CLASH(sqlite3_config)
CLASH(sqlite3_vfs_register)
CLASH(sqlite3_vfs_find)
CLASH(sqlite3_open_v2)
CLASH(sqlite3_prepare_v2)
CLASH(sqlite3_prepare_v3)
CLASH(sqlite3_step)
CLASH(sqlite3_reset)
CLASH(sqlite3_exec)
CLASH(sqlite3_bind_blob)
CLASH(sqlite3_column_blob)
CLASH(sqlite3_column_bytes)
CLASH(sqlite3_column_int64)
CLASH(sqlite3_finalize)
CLASH(sqlite3_errmsg)
CLASH(sqlite3_extended_errcode)
CLASH(sqlite3_malloc64)
CLASH(sqlite3_mutex_enter)
CLASH(sqlite3_free)
CLASH(sqlite3_close)
CLASH(sqlite3_close_v2)
