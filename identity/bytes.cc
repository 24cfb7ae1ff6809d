#include "identity/bytes.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <new>

namespace devtrust {
namespace {

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::size_t whole_pages(std::size_t size) { return (size + page_size() - 1) / page_size() * page_size(); }

// A new page takes as long as a third of an ECDH: a few wiped ones are kept.
std::array<std::atomic<void*>, 8> kept_pages{};

void* take_kept_page() {
  for (std::atomic<void*>& slot : kept_pages) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    if (void* page = slot.exchange(nullptr, std::memory_order_acquire)) return page;
  }
  return nullptr;
}

bool keep_page(void* page) {
  return std::ranges::any_of(kept_pages, [page](std::atomic<void*>& slot) {
    void* empty = nullptr;
    return slot.compare_exchange_strong(empty, page, std::memory_order_acq_rel);
  });
}

}  // namespace

void* secure_allocate(std::size_t size) {
  const std::size_t length = whole_pages(size);
  if (length < size) throw std::bad_alloc();
  if (length == page_size()) {
    if (void* page = take_kept_page()) {
      mlock(page, length);  // a forked child does not inherit it
      return page;
    }
  }
  void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mlock(memory, length);  // a limit on locked memory is no reason to fail
#ifdef MADV_DONTDUMP
  madvise(memory, length, MADV_DONTDUMP);
#endif
  return memory;
}

void secure_free(void* memory, std::size_t size) noexcept {
  if (memory == nullptr) return;
  OPENSSL_cleanse(memory, size);
  const std::size_t length = whole_pages(size);
  if (length != page_size() || !keep_page(memory)) munmap(memory, length);
}

std::string to_hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t octet : bytes) {
    text += kDigits[octet >> 4U];
    text += kDigits[octet & 0xFU];
  }
  return text;
}

bool equal(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

}  // namespace devtrust
