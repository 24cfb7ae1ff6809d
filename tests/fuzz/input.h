// Takes a fuzzer's bytes from the front, so that a seed can be written by hand. What is not there is zero.
#pragma once

#include <algorithm>
#include <array>

#include "identity/bytes.h"

namespace devtrust::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t octet() {
    if (rest_.empty()) return 0;
    const std::uint8_t first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  /// Little-endian, of `octets` bytes.
  std::uint64_t number(unsigned octets) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < octets; ++i) value |= std::uint64_t{octet()} << (8 * i);
    return value;
  }
  template <typename T, std::size_t N>
  const T& pick(const std::array<T, N>& choices) {
    return choices[octet() % N];
  }
  /// At most `size` bytes, as many as there are.
  ByteView bytes(std::size_t size) {
    const ByteView taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  ByteView rest() { return bytes(rest_.size()); }

 private:
  ByteView rest_;
};

}  // namespace devtrust::fuzz
