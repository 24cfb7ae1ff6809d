#include "identity/key_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "identity/der.h"

namespace devtrust {
namespace {

using testing::HasSubstr;

Bytes der_of(const std::string& pem) {
  std::string base64;
  for (std::size_t at = pem.find('\n') + 1; pem[at] != '-'; ++at) {
    if (pem[at] != '\n') base64 += pem[at];
  }
  Bytes der(base64.size());
  const int length = EVP_DecodeBlock(der.data(), as_bytes(base64).data(), static_cast<int>(base64.size()));
  der.resize(static_cast<std::size_t>(length));
  while (base64.ends_with('=')) {
    base64.pop_back();
    der.pop_back();
  }
  return der;
}

TEST(KeyReference, IsTheDerThatTheHeaderDescribes) {
  EXPECT_EQ(encode_key_reference("devtrust:jumpcloud"),
            "-----BEGIN DEVTRUST KEY-----\nMBcaATEMEmRldnRydXN0Omp1bXBjbG91ZA==\n-----END DEVTRUST KEY-----\n");
}

TEST(KeyReference, ComesBackAsItWas) {
  for (const std::string& uri :
       {std::string(), std::string("devtrust:"), std::string(47, 'x'), std::string(3000, 'y')}) {
    const std::string pem = encode_key_reference(uri);
    const auto parsed = parse_key_reference(der_of(pem));
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, uri);
    for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
      end = pem.find('\n', at);
      EXPECT_LE((end == std::string::npos ? pem.size() : end) - at, 64U);
    }
  }
}

TEST(KeyReference, SaysWhatIsWrong) {
  Bytes later = der_of(encode_key_reference("devtrust:"));
  later[4] = '2';
  const auto newer = parse_key_reference(later);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(newer.error().message, HasSubstr("newer devtrust"));

  Bytes longer = der_of(encode_key_reference("devtrust:"));
  longer.push_back(0);
  Bytes shorter = der_of(encode_key_reference("devtrust:"));
  shorter.pop_back();
  for (const Bytes& broken : {Bytes{}, Bytes{0x30}, Bytes{0x30, 0x00}, longer, shorter, Bytes{0x04, 0x01, 0x31}}) {
    const auto parsed = parse_key_reference(broken);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(parsed.error().message, HasSubstr("write it anew"));
  }
}

}  // namespace
}  // namespace devtrust
