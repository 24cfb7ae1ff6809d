#include "backends/nss/vfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "identity/fork.h"

namespace devtrust {
namespace {

// SQLite's own bytes (os.h): far beyond any content.
constexpr off_t kPendingByte = 0x40000000;
constexpr off_t kReservedByte = kPendingByte + 1;
constexpr off_t kSharedFirst = kPendingByte + 2;
constexpr off_t kSharedSize = 510;

int lock_range(int file, short type, off_t first, off_t length) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = length;
  return fcntl(file, F_OFD_SETLK, &range);
}

/// Whether somebody else, in this process or another, holds a write lock there.
bool write_locked(int file, off_t first, off_t length) {
  struct flock range {};
  range.l_type = F_RDLCK;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = length;
  return fcntl(file, F_OFD_GETLK, &range) == 0 && range.l_type == F_WRLCK;
}

/// One descriptor for each inode. All threads share its locks, so they are counted.
struct PooledFile {
  explicit PooledFile(int descriptor) : file(descriptor) {}
  const int file;
  std::mutex mutex;
  int readers = 0;  // guarded by mutex
};

/// The descriptors of one process. A forked child makes its own pool and leaves the parent's alone: the two share the
/// file descriptions, and whoever unlocks does it for both.
class Pool {
 public:
  explicit Pool(std::uint64_t fork) : fork_(fork) {}
  std::uint64_t fork() const { return fork_; }

  /// Null with errno set.
  std::shared_ptr<PooledFile> open(const char* path) {
    struct stat status {};
    if (stat(path, &status) != 0) return nullptr;
    if (!S_ISREG(status.st_mode)) {
      errno = EINVAL;
      return nullptr;
    }
    const std::lock_guard lock(mutex_);
    if (const auto known = files_.find({status.st_dev, status.st_ino}); known != files_.end()) return known->second;
    forget_deleted();
    const int file = ::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0 || fstat(file, &status) != 0) return nullptr;
    // Where the path meant another file between the two calls, this is a second descriptor of a known inode: it stays
    // open, since closing it would be what the pool exists to avoid.
    return files_.try_emplace({status.st_dev, status.st_ino}, std::make_shared<PooledFile>(file)).first->second;
  }

 private:
  /// A database that was replaced by rename leaves an inode without a name. Nobody can come to its locks any more, so
  /// its descriptor may go: this bounds the pool to the files that exist.
  void forget_deleted() {
    std::erase_if(files_, [](const auto& entry) {
      struct stat status {};
      const bool gone =
          entry.second.use_count() == 1 && fstat(entry.second->file, &status) == 0 && status.st_nlink == 0;
      if (gone) close(entry.second->file);
      return gone;
    });
  }

  const std::uint64_t fork_;
  std::mutex mutex_;
  std::map<std::pair<dev_t, ino_t>, std::shared_ptr<PooledFile>> files_;
};

Pool& pool() {
  static std::atomic<Pool*> shared{nullptr};
  Pool* known = shared.load(std::memory_order_acquire);
  while (known == nullptr || known->fork() != fork_number()) {
    auto made = std::make_unique<Pool>(fork_number());
    if (shared.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) return *made.release();
  }
  return *known;
}

/// What SQLite holds as an open file. It allocates szOsFile bytes and never constructs anything in them.
struct File {
  sqlite3_file base;
  std::shared_ptr<PooledFile>* pooled;  // the database; null for a journal
  int journal;                          // read and closed as any file: nobody locks a journal
  bool locked;
};

File& as_file(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
int descriptor(const File& file) { return file.pooled != nullptr ? (*file.pooled)->file : file.journal; }

int unlock(sqlite3_file* base, int level) {
  File& file = as_file(base);
  if (level != SQLITE_LOCK_NONE || !file.locked) return SQLITE_OK;
  PooledFile& pooled = **file.pooled;
  const std::lock_guard guard(pooled.mutex);
  file.locked = false;
  if (--pooled.readers > 0) return SQLITE_OK;
  return lock_range(pooled.file, F_UNLCK, kSharedFirst, kSharedSize) == 0 ? SQLITE_OK : SQLITE_IOERR_UNLOCK;
}

/// Somebody holds it; or the file system has no locks, for which it is no use to wait.
int not_locked(int error) { return error == EAGAIN || error == EACCES ? SQLITE_BUSY : SQLITE_IOERR_LOCK; }

int lock(sqlite3_file* base, int level) {
  File& file = as_file(base);
  if (level != SQLITE_LOCK_SHARED) return SQLITE_READONLY;  // we never write
  if (file.locked || file.pooled == nullptr) return SQLITE_OK;
  PooledFile& pooled = **file.pooled;
  const std::lock_guard guard(pooled.mutex);
  if (pooled.readers == 0) {
    // A writer that waits for its readers to leave holds PENDING: new ones stay out.
    if (lock_range(pooled.file, F_RDLCK, kPendingByte, 1) != 0) return not_locked(errno);
    const int shared = lock_range(pooled.file, F_RDLCK, kSharedFirst, kSharedSize);
    const int error = errno;
    lock_range(pooled.file, F_UNLCK, kPendingByte, 1);
    if (shared != 0) return not_locked(error);
  }
  ++pooled.readers;
  file.locked = true;
  return SQLITE_OK;
}

int close_file(sqlite3_file* base) {
  File& file = as_file(base);
  if (file.pooled != nullptr) {
    unlock(base, SQLITE_LOCK_NONE);
    delete file.pooled;
  } else {
    close(file.journal);
  }
  return SQLITE_OK;
}

int read_file(sqlite3_file* base, void* out, int amount, sqlite3_int64 offset) {
  auto* bytes = static_cast<std::uint8_t*>(out);
  auto wanted = static_cast<std::size_t>(amount);
  while (wanted > 0) {
    const ssize_t got = pread(descriptor(as_file(base)), bytes, wanted, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SQLITE_IOERR_READ;
    if (got == 0) {
      std::memset(bytes, 0, wanted);
      return SQLITE_IOERR_SHORT_READ;
    }
    bytes += got;
    offset += got;
    wanted -= static_cast<std::size_t>(got);
  }
  return SQLITE_OK;
}

int file_size(sqlite3_file* base, sqlite3_int64* size) {
  struct stat status {};
  if (fstat(descriptor(as_file(base)), &status) != 0) return SQLITE_IOERR_FSTAT;
  *size = status.st_size;
  return SQLITE_OK;
}

int check_reserved_lock(sqlite3_file* base, int* reserved) {
  const File& file = as_file(base);
  *reserved = file.pooled != nullptr && write_locked(descriptor(file), kReservedByte, 1) ? 1 : 0;
  return SQLITE_OK;
}

int refuse_write(sqlite3_file* /*file*/, const void* /*data*/, int /*amount*/, sqlite3_int64 /*offset*/) {
  return SQLITE_READONLY;
}
int refuse_truncate(sqlite3_file* /*file*/, sqlite3_int64 /*size*/) { return SQLITE_READONLY; }
int no_sync(sqlite3_file* /*file*/, int /*flags*/) { return SQLITE_OK; }
int no_control(sqlite3_file* /*file*/, int /*operation*/, void* /*argument*/) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file* /*file*/) { return 4096; }
int characteristics(sqlite3_file* /*file*/) { return 0; }

// Version 1: without shared memory there is no WAL.
const sqlite3_io_methods kMethods = {1,
                                     close_file,
                                     read_file,
                                     refuse_write,
                                     refuse_truncate,
                                     no_sync,
                                     file_size,
                                     lock,
                                     unlock,
                                     check_reserved_lock,
                                     no_control,
                                     sector_size,
                                     characteristics,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

int open_file(sqlite3_vfs* /*vfs*/, const char* path, sqlite3_file* base, int flags, int* out_flags) {
  File& file = as_file(base);
  file = {};
  if (path == nullptr) return SQLITE_CANTOPEN;  // temporary files: we need none
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
    auto pooled = pool().open(path);
    if (!pooled) return SQLITE_CANTOPEN;
    file.pooled = new (std::nothrow) std::shared_ptr<PooledFile>(std::move(pooled));
    if (file.pooled == nullptr) return SQLITE_NOMEM;
  } else if ((flags & SQLITE_OPEN_MAIN_JOURNAL) != 0) {
    file.journal = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file.journal < 0) return SQLITE_CANTOPEN;
  } else {
    return SQLITE_CANTOPEN;
  }
  if (out_flags != nullptr) *out_flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
  file.base.pMethods = &kMethods;
  return SQLITE_OK;
}

int refuse_delete(sqlite3_vfs* /*vfs*/, const char* /*path*/, int /*sync*/) { return SQLITE_READONLY; }

int access_file(sqlite3_vfs* /*vfs*/, const char* path, int flags, int* result) {
  struct stat status {};
  *result = flags != SQLITE_ACCESS_READWRITE && stat(path, &status) == 0 && status.st_size > 0 ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs* /*vfs*/, const char* path, int size, char* out) {
  // Where the path is a symbolic link, the writer's journal lies beside what it points to.
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path, nullptr), std::free);
  const std::size_t length = real ? std::strlen(real.get()) : 0;
  if (length == 0 || length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, real.get(), length + 1);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs* /*vfs*/, int size, char* out) {
  std::memset(out, 0,
              static_cast<std::size_t>(size));  // names of temporary files and row ids, neither of which we make
  return size;
}

int sleep_for(sqlite3_vfs* /*vfs*/, int microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  return microseconds;
}

int current_time(sqlite3_vfs* /*vfs*/, double* julian_day) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  *julian_day = 2440587.5 + std::chrono::duration<double>(now).count() / 86400.0;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*out*/) { return errno; }

sqlite3_vfs* our_vfs() {
  static sqlite3_vfs vfs = {1,
                            static_cast<int>(sizeof(File)),
                            4096,
                            nullptr,
                            kVfsName,
                            nullptr,
                            open_file,
                            refuse_delete,
                            access_file,
                            full_path,
                            nullptr,
                            nullptr,
                            nullptr,
                            nullptr,
                            randomness,
                            sleep_for,
                            current_time,
                            last_error,
                            nullptr,
                            nullptr,
                            nullptr,
                            nullptr};
  return &vfs;
}

}  // namespace

Result<void> register_vfs(const SqliteApi& api) {
  if (api.vfs_find(kVfsName) != nullptr || api.vfs_register(our_vfs(), 0) == SQLITE_OK) return {};
  return fail(ErrorCode::kInternal, "SQLite refused the read-only file layer");
}

}  // namespace devtrust
