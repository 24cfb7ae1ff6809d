#include "identity/ecdsa.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>

#include <algorithm>
#include <array>

#include "identity/openssl.h"

namespace devtrust {
namespace {

using SigPtr = std::unique_ptr<ECDSA_SIG, OpensslDeleter<ECDSA_SIG_free>>;

/// The DER form by libcrypto's encoder.
Bytes openssl_der(ByteView r, ByteView s) {
  const SigPtr signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(r.data(), static_cast<int>(r.size()), nullptr),
                 BN_bin2bn(s.data(), static_cast<int>(s.size()), nullptr));
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  Bytes bytes(der, der + length);
  OPENSSL_free(der);
  return bytes;
}

Bytes join(ByteView a, ByteView b) {
  Bytes joined = to_bytes(a);
  joined.insert(joined.end(), b.begin(), b.end());
  return joined;
}

Bytes raw_of(ByteView der, std::size_t size) {
  Bytes raw(size, 0xEE);
  EXPECT_TRUE(ecdsa_from_der(der, raw));
  return raw;
}

bool accepted(ByteView der, std::size_t size) {
  Bytes raw(size);
  return ecdsa_from_der(der, raw);
}

TEST(Ecdsa, AgreesWithLibcryptoOnEveryWidthAndLeadingOctet) {
  for (const std::size_t half : {32U, 48U, 66U}) {
    for (const std::uint8_t lead : std::to_array<std::uint8_t>({0x00, 0x01, 0x7F, 0x80, 0xFF})) {
      for (const std::size_t zeros : {std::size_t{0}, std::size_t{1}, half - 1}) {
        Bytes r(half, 0x5A);
        Bytes s(half, 0xA5);
        std::fill_n(r.begin(), zeros, std::uint8_t{0});
        r[zeros] = lead;
        s[0] = lead;
        const Bytes der = openssl_der(r, s);
        EXPECT_EQ(raw_of(der, 2 * half), join(r, s));
        EXPECT_EQ(ecdsa_to_der(join(r, s)), der);
        EXPECT_EQ(raw_of(openssl_der(s, r), 2 * half), join(s, r));
        EXPECT_EQ(ecdsa_to_der(join(s, r)), openssl_der(s, r));
      }
    }
  }
}

TEST(Ecdsa, WritesZeroAsOneOctet) {
  const Bytes zero(2, 0);
  EXPECT_EQ(ecdsa_to_der(zero), (Bytes{0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00}));
  EXPECT_EQ(raw_of(ecdsa_to_der(zero), 64), Bytes(64, 0));
  EXPECT_EQ(ecdsa_to_der({}), ecdsa_to_der(zero));
}

TEST(Ecdsa, RefusesWhatIsNotStrict) {
  const Bytes good{0x30, 0x06, 0x02, 0x01, 0x05, 0x02, 0x01, 0x07};
  ASSERT_TRUE(accepted(good, 4));
  EXPECT_FALSE(accepted({}, 4));
  EXPECT_FALSE(accepted(join(good, Bytes{0x00}), 4)) << "something behind it";
  for (std::size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(accepted(ByteView(good).first(length), 4));
  EXPECT_FALSE(accepted(Bytes{0x31, 0x06, 0x02, 0x01, 0x05, 0x02, 0x01, 0x07}, 4)) << "a SET";
  EXPECT_FALSE(accepted(Bytes{0x30, 0x81, 0x06, 0x02, 0x01, 0x05, 0x02, 0x01, 0x07}, 4)) << "a long length";
  EXPECT_FALSE(accepted(Bytes{0x30, 0x07, 0x02, 0x02, 0x00, 0x05, 0x02, 0x01, 0x07}, 4)) << "a needless sign octet";
  EXPECT_FALSE(accepted(Bytes{0x30, 0x06, 0x02, 0x01, 0x85, 0x02, 0x01, 0x07}, 4)) << "a negative number";
  EXPECT_FALSE(accepted(Bytes{0x30, 0x05, 0x02, 0x00, 0x02, 0x01, 0x07}, 4)) << "a number without octets";
  EXPECT_FALSE(accepted(Bytes{0x30, 0x03, 0x02, 0x01, 0x05}, 4)) << "one number";
  EXPECT_FALSE(accepted(Bytes{0x30, 0x09, 0x02, 0x01, 0x05, 0x02, 0x01, 0x07, 0x02, 0x01, 0x07}, 4)) << "three numbers";
}

TEST(Ecdsa, RefusesNumbersThatDoNotFit) {
  const Bytes number(33, 0x11);
  const Bytes one{0x01};
  EXPECT_FALSE(accepted(openssl_der(number, one), 64));
  EXPECT_FALSE(accepted(openssl_der(one, number), 64));
  EXPECT_TRUE(accepted(openssl_der(number, number), 66));
  EXPECT_FALSE(accepted(openssl_der(one, one), 3)) << "halves that differ";
}

}  // namespace
}  // namespace devtrust
