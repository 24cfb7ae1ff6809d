#include "identity/bytes.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <new>

namespace devtrust {
namespace {

std::size_t whole_pages(std::size_t size) {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

}  // namespace

void* secure_allocate(std::size_t size) {
  const std::size_t length = whole_pages(size);
  if (length < size) throw std::bad_alloc();
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
  munmap(memory, whole_pages(size));
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
