#include "identity/der.h"

#include <gtest/gtest.h>

namespace devtrust {
namespace {

TEST(Der, WalksOneLevel) {
  const Bytes bytes{0x02, 0x01, 0x05, 0x04, 0x02, 0xAA, 0xBB, 0x30, 0x00};
  DerReader reader(bytes);
  EXPECT_EQ(reader.next(der::kInteger)->content[0], 5);
  EXPECT_FALSE(reader.next(der::kInteger));  // another tag: it stays where it is
  EXPECT_EQ(to_bytes(reader.next(der::kOctetString)->content), (Bytes{0xAA, 0xBB}));
  EXPECT_EQ(reader.next()->whole.size(), 2U);
  EXPECT_TRUE(reader.empty());
  EXPECT_FALSE(reader.next());
}

TEST(Der, RefusesWhatIsNotDer) {
  const std::vector<Bytes> broken{
      {0x02},                          // no length
      {0x02, 0x05, 0x00},              // longer than the bytes
      {0x02, 0x80, 0x00, 0x00},        // indefinite
      {0x02, 0x81, 0x01, 0x00},        // a shorter length exists
      {0x02, 0x82, 0x00, 0x80, 0x00},  // leading zero in the length
      {0x02, 0x85, 1, 0, 0, 0, 0, 0},  // a length of five octets
      {0x1F, 0x20, 0x01, 0x00},        // a tag of several octets
  };
  for (const Bytes& bytes : broken) {
    EXPECT_FALSE(DerReader(bytes).next()) << to_hex(bytes);
  }
}

TEST(Der, SingleElementHasNothingBehindIt) {
  EXPECT_TRUE(der_single(Bytes{0x05, 0x00}, der::kNull));
  EXPECT_FALSE(der_single(Bytes{0x05, 0x00, 0x00}, der::kNull));
  EXPECT_FALSE(der_single(Bytes{0x05, 0x00}, der::kSequence));
}

TEST(Der, UnsignedDropsZerosAndRefusesNegatives) {
  const auto number = [](const Bytes& content) -> std::optional<Bytes> {
    const auto view = der_unsigned({der::kInteger, content, content});
    if (!view) return std::nullopt;
    return to_bytes(*view);
  };
  EXPECT_EQ(number({0x00, 0x80}), (Bytes{0x80}));
  EXPECT_EQ(number({0x00}), Bytes());
  EXPECT_EQ(number({0x80}), std::nullopt);
  EXPECT_EQ(number({}), std::nullopt);
}

TEST(Der, OidText) {
  EXPECT_EQ(oid_text(Bytes{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01}), "1.2.840.113549.1.1.1");
  EXPECT_EQ(oid_text(Bytes{0x88, 0x37}), "2.999");
  EXPECT_EQ(oid_text(Bytes{}), "");
  EXPECT_EQ(oid_text(Bytes{0x2A, 0x86}), "");                                                        // cut short
  EXPECT_EQ(oid_text(Bytes{0x2A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F}), "");  // over 63 bits
}

TEST(Der, EncodeIsWhatTheReaderReads) {
  for (const std::size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 70000U}) {
    const Bytes content(size, 0x5A);
    const Bytes encoded = der_encode(der::kOctetString, content);
    const auto element = der_single(encoded, der::kOctetString);
    ASSERT_TRUE(element) << size;
    EXPECT_EQ(to_bytes(element->content), content);
  }
}

}  // namespace
}  // namespace devtrust
