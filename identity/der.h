// A strict reader of DER: definite, minimal lengths and one-byte tags, which is all that X.509 and NSS write.
#pragma once

#include <optional>

#include "identity/bytes.h"

namespace devtrust {

namespace der {
inline constexpr std::uint8_t kBoolean = 0x01, kInteger = 0x02, kBitString = 0x03, kOctetString = 0x04, kNull = 0x05,
                              kOid = 0x06, kUtf8String = 0x0C, kPrintableString = 0x13, kT61String = 0x14,
                              kIa5String = 0x16, kUtcTime = 0x17, kGeneralizedTime = 0x18, kVisibleString = 0x1A,
                              kUniversalString = 0x1C, kBmpString = 0x1E, kSequence = 0x30, kSet = 0x31;
/// Context-specific tags, [n].
constexpr std::uint8_t context(unsigned n) { return static_cast<std::uint8_t>(0x80U | n); }
constexpr std::uint8_t context_constructed(unsigned n) { return static_cast<std::uint8_t>(0xA0U | n); }
}  // namespace der

struct DerElement {
  std::uint8_t tag = 0;
  ByteView content;
  ByteView whole;  ///< tag and length included
};

/// Walks the elements of one level. Views point into the bytes it was given.
class DerReader {
 public:
  explicit DerReader(ByteView bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t peek() const { return rest_.empty() ? 0 : rest_[0]; }
  /// The next element; nothing where the encoding is broken or the level is at its end.
  std::optional<DerElement> next();
  /// The next element if it has this tag; otherwise nothing, and the reader stays where it is.
  std::optional<DerElement> next(std::uint8_t tag);

 private:
  ByteView rest_;
};

/// The one element that `bytes` is, with this tag and nothing behind it.
std::optional<DerElement> der_single(ByteView bytes, std::uint8_t tag);
/// The magnitude of a non-negative INTEGER's content, without leading zeros (zero itself is empty).
std::optional<ByteView> der_unsigned(const DerElement& integer);
/// 1.2.840.113549; empty where the content is no OID.
std::string oid_text(ByteView content);
/// tag, length and content.
Bytes der_encode(std::uint8_t tag, ByteView content);

}  // namespace devtrust
