#include "backends/file/pbe.h"

#include <openssl/objects.h>
#include <openssl/x509.h>

#include <memory>

#include "tests/unit/backends/file/fixture.h"

namespace devtrust {
namespace {

using AlgorithmPtr = std::unique_ptr<X509_ALGOR, OpensslDeleter<X509_ALGOR_free>>;

class Pbe : public testing::FileTest {
 protected:
  /// PBES2 with AES-256-CBC and so many iterations.
  static AlgorithmPtr pbes2(int iterations) {
    EVP_CIPHER* cipher = EVP_CIPHER_fetch(libctx(), "AES-256-CBC", nullptr);
    Bytes salt(16, 1);
    AlgorithmPtr made(PKCS5_pbe2_set_iv_ex(cipher, iterations, salt.data(), static_cast<int>(salt.size()), nullptr,
                                           NID_hmacWithSHA256, libctx()));
    EVP_CIPHER_free(cipher);
    return made;
  }
};

TEST_F(Pbe, RefusesToCountForEver) {
  const Bytes ciphertext(32, 0);
  const auto costly = decrypt_pbe(*pbes2(2'000'000'000), ciphertext, "password");
  ASSERT_FALSE(costly);
  EXPECT_EQ(costly.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(costly.error().message, ::testing::HasSubstr("more than 5000000 iterations"));
  EXPECT_EQ(decrypt_pbe(*pbes2(1000), ciphertext, "password").error().code, ErrorCode::kWrongPassword);
}

TEST_F(Pbe, OldHeadersAreReadStrictly) {
  const Bytes ciphertext(32, 0);
  const auto code = [&](const char* headers) { return decrypt_dek(headers, ciphertext, "password").error().code; };
  EXPECT_EQ(code(""), ErrorCode::kCorrupt);
  EXPECT_EQ(code("DEK-Info: AES-256-CBC"), ErrorCode::kCorrupt);
  EXPECT_EQ(code("DEK-Info: AES-256-CBC,\n"), ErrorCode::kCorrupt);
  EXPECT_EQ(code("DEK-Info: AES-256-CBC,0011\n"), ErrorCode::kCorrupt);
  EXPECT_EQ(code("DEK-Info: AES-256-CBC,00112233445566778899aabbccddeefg\n"), ErrorCode::kCorrupt);
  EXPECT_EQ(code("DEK-Info: AES-256-GCM,00112233445566778899aabb\n"), ErrorCode::kUnsupported);
  EXPECT_EQ(code("DEK-Info: DES-CBC,0011223344556677\n"), ErrorCode::kUnsupported);
  EXPECT_EQ(code("DEK-Info: NONE,0011223344556677\n"), ErrorCode::kUnsupported);
  EXPECT_EQ(code("DEK-Info: AES-256-CBC,00112233445566778899aabbccddeeff\n"), ErrorCode::kWrongPassword);
  EXPECT_EQ(code("DEK-Info: AES-256-CBC,00112233445566778899aabbccddeeff"), ErrorCode::kWrongPassword);
}

}  // namespace
}  // namespace devtrust
