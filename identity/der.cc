#include "identity/der.h"

#include <algorithm>

namespace devtrust {

std::optional<DerElement> DerReader::next() {
  if (rest_.size() < 2 || (rest_[0] & 0x1FU) == 0x1FU) return std::nullopt;
  std::size_t header = 2;
  std::size_t length = rest_[1];
  if (length >= 0x80) {
    const std::size_t octets = length & 0x7FU;
    if (octets == 0 || octets > 4 || rest_.size() < 2 + octets) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8U | rest_[2 + i];
    if (length < 0x80 || rest_[2] == 0) return std::nullopt;  // a shorter form exists
    header += octets;
  }
  if (length > rest_.size() - header) return std::nullopt;
  const DerElement element{rest_[0], rest_.subspan(header, length), rest_.first(header + length)};
  rest_ = rest_.subspan(header + length);
  return element;
}

std::optional<DerElement> DerReader::next(std::uint8_t tag) { return peek() == tag ? next() : std::nullopt; }

std::optional<DerElement> der_single(ByteView bytes, std::uint8_t tag) {
  DerReader reader(bytes);
  auto element = reader.next(tag);
  if (!reader.empty()) return std::nullopt;
  return element;
}

std::optional<ByteView> der_unsigned(const DerElement& integer) {
  if (integer.tag != der::kInteger || integer.content.empty() || (integer.content[0] & 0x80U) != 0) return std::nullopt;
  const auto first = std::ranges::find_if(integer.content, [](std::uint8_t octet) { return octet != 0; });
  return integer.content.subspan(static_cast<std::size_t>(first - integer.content.begin()));
}

std::string oid_text(ByteView content) {
  std::string text;
  std::uint64_t arc = 0;
  for (const std::uint8_t octet : content) {
    if (arc >> 56U != 0) return {};
    arc = arc << 7U | (octet & 0x7FU);
    if ((octet & 0x80U) != 0) continue;
    if (text.empty()) {
      const std::uint64_t first = std::min<std::uint64_t>(arc / 40, 2);
      text = std::to_string(first) + '.' + std::to_string(arc - first * 40);
    } else {
      text += '.' + std::to_string(arc);
    }
    arc = 0;
  }
  return content.empty() || (content.back() & 0x80U) != 0 ? std::string() : text;
}

Bytes der_encode(std::uint8_t tag, ByteView content) {
  Bytes out{tag};
  std::size_t length = content.size();
  if (length < 0x80) {
    out.push_back(static_cast<std::uint8_t>(length));
  } else {
    Bytes octets;
    for (; length != 0; length >>= 8U) octets.insert(octets.begin(), static_cast<std::uint8_t>(length));
    out.push_back(static_cast<std::uint8_t>(0x80U | octets.size()));
    out.insert(out.end(), octets.begin(), octets.end());
  }
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

}  // namespace devtrust
