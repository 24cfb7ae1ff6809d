// The one library of the process: who is inside it, who may end it, and what a fork leaves behind.
#pragma once

#include <functional>

#include "pkcs11/library.h"

namespace devtrust::pkcs11 {

/// CKR_CRYPTOKI_ALREADY_INITIALIZED. In a forked child the parent's library is abandoned: nothing of it is touched.
Answer<> initialize_library(const std::function<std::unique_ptr<Library>()>& open);
/// CKR_CRYPTOKI_NOT_INITIALIZED. Does not wait: calls that are inside go on, and the last one destroys the library.
Answer<> finalize_library();

struct Process;

/// While it lives, all that its thread calls is about a library of the thread's own, which no other thread sees: what
/// C_Initialize makes and C_Finalize ends, with its sessions and its login. What is left of it ends with this.
class ThreadInstance {
 public:
  ThreadInstance();
  ~ThreadInstance();
  ThreadInstance(const ThreadInstance&) = delete;
  ThreadInstance& operator=(const ThreadInstance&) = delete;

 private:
  std::unique_ptr<Process> process_;
};

/// Keeps the library alive for one call. Cheap: no lock, and threads do not share a counter.
class LibraryUse {
 public:
  LibraryUse();
  ~LibraryUse();
  LibraryUse(const LibraryUse&) = delete;
  LibraryUse& operator=(const LibraryUse&) = delete;

  /// Null before C_Initialize, after C_Finalize, and in a child that has not called C_Initialize itself.
  Library* get() const { return library_; }

 private:
  struct Inside* inside_ = nullptr;  // where this thread is counted
  Library* library_ = nullptr;
};

}  // namespace devtrust::pkcs11
