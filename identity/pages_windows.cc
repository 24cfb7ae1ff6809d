#include <windows.h>

#include <new>

#include "identity/pages.h"

namespace devtrust {

std::size_t page_size() {
  static const std::size_t size = [] {
    SYSTEM_INFO system{};
    GetSystemInfo(&system);
    return std::size_t{system.dwPageSize};
  }();
  return size;
}

// What was allocated together can only be given back together.
std::size_t pages_at_once() { return 1; }

void* map_pages(std::size_t length) {
  void* memory = VirtualAlloc(nullptr, length, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void unmap_pages(void* memory, std::size_t /*length*/) noexcept { VirtualFree(memory, 0, MEM_RELEASE); }

bool lock_pages(void* memory, std::size_t length) { return VirtualLock(memory, length) != 0; }

// Windows Error Reporting's list of excluded blocks is short, and the host's.
void hide_pages(void* /*memory*/, std::size_t /*length*/) {}

}  // namespace devtrust
