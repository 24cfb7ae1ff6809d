#include "identity/ecdsa.h"

#include <algorithm>

#include "identity/der.h"

namespace devtrust {
namespace {

bool write_number(const std::optional<DerElement>& integer, std::span<std::uint8_t> out) {
  if (!integer) return false;
  const auto magnitude = der_unsigned(*integer);
  if (!magnitude || magnitude->size() > out.size()) return false;
  const bool sign_octet = magnitude->empty() || (magnitude->front() & 0x80U) != 0;
  if (integer->content.size() != magnitude->size() + (sign_octet ? 1 : 0)) return false;  // a shorter form exists
  const auto number = std::ranges::fill(out.first(out.size() - magnitude->size()), std::uint8_t{0});
  std::ranges::copy(*magnitude, number);
  return true;
}

Bytes encode_number(ByteView number) {
  const auto first = std::ranges::find_if(number, [](std::uint8_t octet) { return octet != 0; });
  Bytes content(first, number.end());
  if (content.empty() || (content.front() & 0x80U) != 0) content.insert(content.begin(), 0);
  return der_encode(der::kInteger, content);
}

}  // namespace

bool ecdsa_from_der(ByteView der, std::span<std::uint8_t> raw) {
  const auto sequence = der_single(der, der::kSequence);
  if (!sequence || raw.size() % 2 != 0) return false;
  DerReader reader(sequence->content);
  const auto r = reader.next(der::kInteger);
  const auto s = reader.next(der::kInteger);
  const std::size_t half = raw.size() / 2;
  return reader.empty() && write_number(r, raw.first(half)) && write_number(s, raw.last(half));
}

Bytes ecdsa_to_der(ByteView raw) {
  const std::size_t half = raw.size() / 2;
  Bytes content = encode_number(raw.first(half));
  const Bytes s = encode_number(raw.last(half));
  content.insert(content.end(), s.begin(), s.end());
  return der_encode(der::kSequence, content);
}

}  // namespace devtrust
