#include "identity/bytes.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <new>

#include "identity/fork.h"

namespace devtrust {
namespace {

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::size_t whole_pages(std::size_t size) { return (size + page_size() - 1) / page_size() * page_size(); }

// To map, lock and hide a page takes as long as a third of an ECDH: it is done for a few at once, and wiped ones are
// kept.
constexpr std::size_t kPagesAtOnce = 8;
std::array<std::atomic<void*>, 2 * kPagesAtOnce> kept_pages{};

/// All that a kept page holds: in which process it is locked, where it is; a forked child does not inherit locks.
std::uint64_t& locked_in(void* kept_page) { return *static_cast<std::uint64_t*>(kept_page); }
constexpr std::uint64_t kNowhere = 0;
std::uint64_t this_process() { return fork_number() + 1; }

void* take_kept_page() {
  for (std::atomic<void*>& slot : kept_pages) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    if (void* page = slot.exchange(nullptr, std::memory_order_acquire)) {
      if (locked_in(page) != this_process()) mlock(page, page_size());
      locked_in(page) = 0;
      return page;
    }
  }
  return nullptr;
}

/// `page`: wiped.
void keep_page(void* page, std::uint64_t locked) {
  locked_in(page) = locked;
  for (std::atomic<void*>& slot : kept_pages) {
    void* empty = nullptr;
    if (slot.compare_exchange_strong(empty, page, std::memory_order_acq_rel)) return;
  }
  munmap(page, page_size());
}

/// Whether it is locked. A limit on locked memory is no reason to fail.
bool hide(void* memory, std::size_t length) {
#ifdef MADV_DONTDUMP
  madvise(memory, length, MADV_DONTDUMP);
#endif
  return mlock(memory, length) == 0;
}

void* map(std::size_t length) {
  void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

/// One page; some more are kept.
void* map_pages() {
  auto* const pages = static_cast<std::uint8_t*>(map(kPagesAtOnce * page_size()));
  const bool locked = hide(pages, kPagesAtOnce * page_size());
  if (!locked) mlock(pages, page_size());  // the limit may allow it alone
  for (std::size_t i = 1; i < kPagesAtOnce; ++i) keep_page(pages + i * page_size(), locked ? this_process() : kNowhere);
  return pages;
}

}  // namespace

void* secure_allocate(std::size_t size) {
  const std::size_t length = whole_pages(size);
  if (length < size) throw std::bad_alloc();
  if (length == page_size()) {
    void* kept = take_kept_page();
    return kept != nullptr ? kept : map_pages();
  }
  void* memory = map(length);
  hide(memory, length);
  return memory;
}

void secure_free(void* memory, std::size_t size) noexcept {
  if (memory == nullptr) return;
  OPENSSL_cleanse(memory, size);
  const std::size_t length = whole_pages(size);
  if (length == page_size()) {
    keep_page(memory, kNowhere);
  } else {
    munmap(memory, length);
  }
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
