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

/// The last octets of each page that is kept or will be: in which process it is locked. A forked child does not inherit
/// locks.
std::uint64_t& locked_in(void* page) {
  return *reinterpret_cast<std::uint64_t*>(static_cast<std::uint8_t*>(page) + page_size() - sizeof(std::uint64_t));
}
std::uint64_t this_process() { return fork_number() + 1; }  // 0: nowhere

/// Whether `size` octets go on such a page.
bool fits_kept_page(std::size_t size) { return size <= page_size() - sizeof(std::uint64_t); }

void lock_kept_page(void* page) {
  if (locked_in(page) != this_process() && lock_pages(page, page_size())) locked_in(page) = this_process();
}

void* take_kept_page() {
  for (std::atomic<void*>& slot : kept_pages) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    if (void* page = slot.exchange(nullptr, std::memory_order_acquire)) {
      lock_kept_page(page);
      return page;
    }
  }
  return nullptr;
}

/// `page`: wiped.
void keep_page(void* page) {
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
  for (std::size_t i = 0; i < count; ++i) {
    std::uint8_t* const page = pages + i * page_size();
    if (locked) locked_in(page) = this_process();
    if (i > 0) keep_page(page);
  }
  lock_kept_page(pages);  // where the limit does not allow them all, it may allow this one
  return pages;
}

}  // namespace

void* secure_allocate(std::size_t size) {
  if (fits_kept_page(size)) {
    void* kept = take_kept_page();
    return kept != nullptr ? kept : new_page();
  }
  const std::size_t length = whole_pages(size);
  if (length < size) throw std::bad_alloc();
  void* memory = map_pages(length);
  protect(memory, length);
  return memory;
}

void secure_free(void* memory, std::size_t size) noexcept {
  if (memory == nullptr) return;
  OPENSSL_cleanse(memory, size);
  if (fits_kept_page(size)) {
    keep_page(memory);
  } else {
    unmap_pages(memory, whole_pages(size));
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
