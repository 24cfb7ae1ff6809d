// What a module of ours does when macOS loads it.
#include <dlfcn.h>

#include "identity/fork.h"

namespace {

const char anchor = 0;

/// It stays loaded after a host lets go of it: its fork handler is called as long as the process lives, and a thread
/// may still be inside. Forks are counted from now on, not from the first call: a child has to know that it is one even
/// where the parent only loaded us.
[[gnu::constructor]] void stay_loaded() {
  Dl_info self{};
  if (dladdr(&anchor, &self) != 0 && self.dli_fname != nullptr) {
    dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);  // never closed
  }
  static_cast<void>(devtrust::fork_number());
}

}  // namespace
