#include <sys/mman.h>
#include <unistd.h>

#include <new>

#include "identity/pages.h"

namespace devtrust {

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::size_t pages_at_once() { return 8; }

void* map_pages(std::size_t length) {
  void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

void unmap_pages(void* memory, std::size_t length) noexcept { munmap(memory, length); }

bool lock_pages(void* memory, std::size_t length) { return mlock(memory, length) == 0; }

void hide_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t length) {
#ifdef MADV_DONTDUMP
  madvise(memory, length, MADV_DONTDUMP);
#endif
}

}  // namespace devtrust
