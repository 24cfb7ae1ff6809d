#include "identity/bytes.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <new>

#include "identity/fork.h"
#include "identity/pages.h"

namespace devtrust {
namespace {

std::size_t whole_pages(std::size_t size) { return (size + page_size() - 1) / page_size() * page_size(); }

// To map, lock and hide a page takes as long as a third of an ECDH: it is done for a few at once, and wiped ones are
// kept.
std::array<std::atomic<void*>, 16> kept_pages{};

/// All that a kept page holds: in which process it is locked, where it is; a forked child does not inherit locks.
std::uint64_t& locked_in(void* kept_page) { return *static_cast<std::uint64_t*>(kept_page); }
constexpr std::uint64_t kNowhere = 0;
std::uint64_t this_process() { return fork_number() + 1; }

void* take_kept_page() {
  for (std::atomic<void*>& slot : kept_pages) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    if (void* page = slot.exchange(nullptr, std::memory_order_acquire)) {
      if (locked_in(page) != this_process()) lock_pages(page, page_size());
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
  unmap_pages(page, page_size());
}

/// Whether it is locked.
bool protect(void* memory, std::size_t length) {
  hide_pages(memory, length);
  return lock_pages(memory, length);
}

/// One page; some more are kept.
void* new_page() {
  const std::size_t count = pages_at_once();
  auto* const pages = static_cast<std::uint8_t*>(map_pages(count * page_size()));
  const bool locked = protect(pages, count * page_size());
  if (!locked) lock_pages(pages, page_size());  // the limit may allow it alone
  for (std::size_t i = 1; i < count; ++i) keep_page(pages + i * page_size(), locked ? this_process() : kNowhere);
  return pages;
}

}  // namespace

void* secure_allocate(std::size_t size) {
  const std::size_t length = whole_pages(size);
  if (length < size) throw std::bad_alloc();
  if (length == page_size()) {
    void* kept = take_kept_page();
    return kept != nullptr ? kept : new_page();
  }
  void* memory = map_pages(length);
  protect(memory, length);
  return memory;
}

void secure_free(void* memory, std::size_t size) noexcept {
  if (memory == nullptr) return;
  OPENSSL_cleanse(memory, size);
  const std::size_t length = whole_pages(size);
  if (length == page_size()) {
    keep_page(memory, kNowhere);
  } else {
    unmap_pages(memory, length);
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
