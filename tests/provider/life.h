// A key of the provider's at work.
#pragma once

#include <array>

#include "tests/provider/fixture.h"
#include "tests/support/variable.h"

namespace devtrust::testing {

inline bool signs(OSSL_LIB_CTX* context, EVP_PKEY* key, EVP_PKEY* judge) {
  static constexpr std::array<unsigned char, 5> kMessage{1, 2, 3, 4, 5};
  const EvpMdCtxPtr signer(EVP_MD_CTX_new());
  const EvpMdCtxPtr verifier(EVP_MD_CTX_new());
  Bytes signature(512);
  std::size_t length = signature.size();
  return EVP_DigestSignInit_ex(signer.get(), nullptr, "SHA256", context, nullptr, key, nullptr) == 1 &&
         EVP_DigestSign(signer.get(), signature.data(), &length, kMessage.data(), kMessage.size()) == 1 &&
         EVP_DigestVerifyInit_ex(verifier.get(), nullptr, "SHA256", context, nullptr, judge, nullptr) == 1 &&
         EVP_DigestVerify(verifier.get(), signature.data(), length, kMessage.data(), kMessage.size()) == 1;
}

class Life : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }
  FileStore store_{"ec:P-256"};
};

}  // namespace devtrust::testing
