// Byte strings, and those that hold secrets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace devtrust {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// Pages of their own: locked where mlock allows, left out of core dumps, wiped when freed.
/// `size` in bytes. Throws std::bad_alloc.
void* secure_allocate(std::size_t size);
void secure_free(void* memory, std::size_t size) noexcept;

template <typename T>
struct SecureAllocator {
  using value_type = T;
  SecureAllocator() = default;
  template <typename U>
  SecureAllocator(const SecureAllocator<U>&) noexcept {
  }  // NOLINT(google-explicit-constructor): the Allocator requirements
  T* allocate(std::size_t count) { return static_cast<T*>(secure_allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) noexcept { secure_free(memory, count * sizeof(T)); }
  friend bool operator==(const SecureAllocator&, const SecureAllocator&) { return true; }
};

/// For key material, passwords and plaintext. Reserve before growing: each growth is a new set of pages.
using SecureBytes = std::vector<std::uint8_t, SecureAllocator<std::uint8_t>>;

/// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes to_bytes(ByteView bytes) { return {bytes.begin(), bytes.end()}; }
bool equal(ByteView a, ByteView b);

}  // namespace devtrust
