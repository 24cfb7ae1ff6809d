#include "backends/keychain/algorithm.h"

#include <gtest/gtest.h>

namespace devtrust {
namespace {

using Algorithm = KeychainAlgorithm;

TEST(KeychainAlgorithms, OfSignatures) {
  struct Case {
    SignScheme scheme;
    Algorithm algorithm;
  };
  using enum SignAlgorithm;
  for (const Case& row : {
           Case{{kRsaPkcs1, Digest::kNone}, Algorithm::kRsaSignaturePkcs1Raw},
           Case{{kRsaPkcs1, Digest::kSha1}, Algorithm::kRsaSignaturePkcs1Sha1},
           Case{{kRsaPkcs1, Digest::kSha224}, Algorithm::kRsaSignaturePkcs1Sha224},
           Case{{kRsaPkcs1, Digest::kSha256}, Algorithm::kRsaSignaturePkcs1Sha256},
           Case{{kRsaPkcs1, Digest::kSha384}, Algorithm::kRsaSignaturePkcs1Sha384},
           Case{{kRsaPkcs1, Digest::kSha512}, Algorithm::kRsaSignaturePkcs1Sha512},
           Case{{kRsaRaw}, Algorithm::kRsaSignatureRaw},
           Case{{kRsaPss, Digest::kSha1, Digest::kSha1, 20}, Algorithm::kRsaSignaturePssSha1},
           Case{{kRsaPss, Digest::kSha224, Digest::kSha224, 28}, Algorithm::kRsaSignaturePssSha224},
           Case{{kRsaPss, Digest::kSha256, Digest::kSha256, 32}, Algorithm::kRsaSignaturePssSha256},
           Case{{kRsaPss, Digest::kSha384, Digest::kSha384, 48}, Algorithm::kRsaSignaturePssSha384},
           Case{{kRsaPss, Digest::kSha512, Digest::kSha512, 64}, Algorithm::kRsaSignaturePssSha512},
           Case{{kEcdsa}, Algorithm::kEcdsaSignatureX962},
           // what there is no algorithm for
           Case{{kRsaPss, Digest::kSha256, Digest::kSha256, 20}, Algorithm::kNone},
           Case{{kRsaPss, Digest::kSha256, Digest::kSha1, 32}, Algorithm::kNone},
           Case{{kRsaPss, Digest::kNone, Digest::kNone, 0}, Algorithm::kNone},
           Case{{kEddsa}, Algorithm::kNone},
       }) {
    EXPECT_EQ(signing_algorithm(row.scheme), row.algorithm) << static_cast<int>(row.algorithm);
  }
}

TEST(KeychainAlgorithms, OfEcdsaByTheDigestsLength) {
  EXPECT_EQ(ecdsa_algorithm(20), Algorithm::kEcdsaSignatureX962Sha1);
  EXPECT_EQ(ecdsa_algorithm(28), Algorithm::kEcdsaSignatureX962Sha224);
  EXPECT_EQ(ecdsa_algorithm(32), Algorithm::kEcdsaSignatureX962Sha256);
  EXPECT_EQ(ecdsa_algorithm(48), Algorithm::kEcdsaSignatureX962Sha384);
  EXPECT_EQ(ecdsa_algorithm(64), Algorithm::kEcdsaSignatureX962Sha512);
  EXPECT_EQ(ecdsa_algorithm(33), Algorithm::kNone);
  EXPECT_EQ(ecdsa_algorithm(0), Algorithm::kNone);
}

TEST(KeychainAlgorithms, OfDecryption) {
  using enum CipherAlgorithm;
  const auto of = [](CipherAlgorithm algorithm, Digest digest = Digest::kNone, Digest mgf1 = Digest::kNone,
                     const Bytes& label = {}) {
    return decryption_algorithm({algorithm, digest, mgf1, label});
  };
  EXPECT_EQ(of(kRsaPkcs1), Algorithm::kRsaEncryptionPkcs1);
  EXPECT_EQ(of(kRsaRaw), Algorithm::kRsaEncryptionRaw);
  EXPECT_EQ(of(kRsaOaep, Digest::kSha1, Digest::kSha1), Algorithm::kRsaEncryptionOaepSha1);
  EXPECT_EQ(of(kRsaOaep, Digest::kSha224, Digest::kSha224), Algorithm::kRsaEncryptionOaepSha224);
  EXPECT_EQ(of(kRsaOaep, Digest::kSha256, Digest::kSha256), Algorithm::kRsaEncryptionOaepSha256);
  EXPECT_EQ(of(kRsaOaep, Digest::kSha384, Digest::kSha384), Algorithm::kRsaEncryptionOaepSha384);
  EXPECT_EQ(of(kRsaOaep, Digest::kSha512, Digest::kSha512), Algorithm::kRsaEncryptionOaepSha512);
  EXPECT_EQ(of(kRsaOaep, Digest::kSha256, Digest::kSha1), Algorithm::kNone);
  EXPECT_EQ(of(kRsaOaep, Digest::kSha1, Digest::kSha1, {1}), Algorithm::kNone);
  EXPECT_EQ(of(kRsaTls), Algorithm::kNone);
}

}  // namespace
}  // namespace devtrust
