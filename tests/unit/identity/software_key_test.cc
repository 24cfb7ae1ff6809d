#include "identity/software_key.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include <ostream>
#include <thread>

#include "tests/unit/identity/keys.h"

namespace devtrust {
namespace {

using testing::make_key;
using testing::secret_number;

std::shared_ptr<const SoftwareKey> software_key(EvpPkeyPtr evp) {
  const auto public_key = PublicKey::from_evp(evp.get());
  auto key = SoftwareKey::from_evp(std::move(evp), *public_key, {});
  if (!key) throw std::runtime_error(key.error().message);
  return *key;
}

Bytes sign(const PrivateKey& key, const SignScheme& scheme, ByteView input) {
  Bytes signature(key.public_key().max_signature_size());
  const auto length = key.sign(scheme, input, signature);
  if (!length) throw std::runtime_error(length.error().message);
  signature.resize(*length);
  return signature;
}

struct SchemeCase {
  const char* key;
  SignScheme scheme;
  std::size_t input;
};

/// The tests' names.
void PrintTo(const SchemeCase& one, std::ostream* out) {
  const char* hash = digest_name(one.scheme.digest);
  *out << one.key << (one.scheme.algorithm == SignAlgorithm::kRsaPss ? ", PSS" : "") << ", "
       << (hash != nullptr ? hash : "no hash") << ", " << one.input << " bytes";
}

class SoftwareKeyScheme : public ::testing::TestWithParam<SchemeCase> {};

TEST_P(SoftwareKeyScheme, SignsWhatItsPublicKeyVerifies) {
  const auto key = software_key(make_key(GetParam().key));
  const SignScheme& scheme = GetParam().scheme;
  ASSERT_TRUE(key->can_sign(scheme));
  Bytes input(GetParam().input, 0x31);
  for (int round = 0; round < 3; ++round) {  // a context that is used again must sign as the first time
    input[1] = static_cast<std::uint8_t>(round);
    Bytes signature = sign(*key, scheme, input);
    EXPECT_TRUE(key->public_key().verify(scheme, input, signature));
    Bytes other = input;
    other[1] ^= 0x80U;
    EXPECT_EQ(key->public_key().verify(scheme, other, signature).error().code, ErrorCode::kSignatureInvalid);
    signature[signature.size() / 2] ^= 1U;
    EXPECT_EQ(key->public_key().verify(scheme, input, signature).error().code, ErrorCode::kSignatureInvalid);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Schemes, SoftwareKeyScheme,
    ::testing::Values(
        SchemeCase{"rsa:2048", {SignAlgorithm::kRsaPkcs1, Digest::kSha256}, 32},
        SchemeCase{"rsa:2048", {SignAlgorithm::kRsaPkcs1, Digest::kSha1}, 20},
        SchemeCase{"rsa:2048", {SignAlgorithm::kRsaPkcs1}, 51},
        SchemeCase{"rsa:2048", {SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 32}, 32},
        SchemeCase{"rsa:2048", {SignAlgorithm::kRsaPss, Digest::kSha512, Digest::kSha1, 0}, 64},
        SchemeCase{"rsa:2048", {SignAlgorithm::kRsaRaw}, 256}, SchemeCase{"ec:P-256", {SignAlgorithm::kEcdsa}, 32},
        SchemeCase{"ec:P-256", {SignAlgorithm::kEcdsa}, 20}, SchemeCase{"ec:P-384", {SignAlgorithm::kEcdsa}, 48},
        SchemeCase{"ec:P-521", {SignAlgorithm::kEcdsa}, 64}, SchemeCase{"ed25519", {SignAlgorithm::kEddsa}, 1000},
        SchemeCase{"ed448", {SignAlgorithm::kEddsa}, 1000}));

TEST(SoftwareKey, SchemesDoNotMixInItsContexts) {
  const auto key = software_key(make_key("rsa:2048"));
  const SignScheme pss{SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 32};
  const SignScheme pkcs1{SignAlgorithm::kRsaPkcs1, Digest::kSha256};
  const Bytes digest(32, 7);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(key->public_key().verify(pss, digest, sign(*key, pss, digest)));
    EXPECT_TRUE(key->public_key().verify(pkcs1, digest, sign(*key, pkcs1, digest)));
  }
}

TEST(SoftwareKey, SignsNothingAtAll) {
  const auto key = software_key(make_key("rsa:2048"));
  const SignScheme scheme{SignAlgorithm::kRsaPkcs1};
  Bytes signature = sign(*key, scheme, {});
  EXPECT_TRUE(key->public_key().verify(scheme, {}, signature));
  EXPECT_FALSE(key->public_key().verify(scheme, {}, sign(*key, scheme, Bytes(1))));
  signature[100] ^= 1U;
  EXPECT_EQ(key->public_key().verify(scheme, {}, signature).error().code, ErrorCode::kSignatureInvalid);
}

TEST(SoftwareKey, AfterAFailureItStillSigns) {
  const auto key = software_key(make_key("rsa:2048"));
  const SignScheme scheme{SignAlgorithm::kRsaPkcs1, Digest::kSha256};
  Bytes out(256);
  EXPECT_FALSE(key->sign(scheme, Bytes(31), out));  // not a SHA-256
  EXPECT_FALSE(key->sign({SignAlgorithm::kRsaRaw}, Bytes(255), out));
  EXPECT_FALSE(key->sign({SignAlgorithm::kEcdsa}, Bytes(32), out));
  EXPECT_TRUE(key->public_key().verify(scheme, Bytes(32), sign(*key, scheme, Bytes(32))));
  EXPECT_EQ(ERR_peek_error(), 0UL);  // the host's queue is as it was
}

TEST(SoftwareKey, SignsFromManyThreads) {
  const auto key = software_key(make_key("ec:P-256"));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&key, &wrong, t] {
      for (int i = 0; i < 50; ++i) {
        const Bytes digest(32, static_cast<std::uint8_t>(t * 50 + i));
        const SignScheme scheme{SignAlgorithm::kEcdsa};
        if (!key->public_key().verify(scheme, digest, sign(*key, scheme, digest))) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SoftwareKey, IsCompletedFromEitherPrime) {
  const EvpPkeyPtr evp = make_key("rsa:2048");
  const auto public_key = PublicKey::from_evp(evp.get());
  for (const char* name : {OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2}) {
    SecureBytes prime = secret_number(evp, name);
    prime.insert(prime.begin(), 0);  // NSS may write a sign octet
    const auto key = SoftwareKey::from_rsa_prime(*public_key, prime, {}, {});
    ASSERT_TRUE(key) << key.error().message;
    const SignScheme scheme{SignAlgorithm::kRsaPkcs1, Digest::kSha256};
    EXPECT_TRUE(public_key->verify(scheme, Bytes(32), sign(**key, scheme, Bytes(32))));
  }
}

TEST(SoftwareKey, SignsWhateverCoefficientItIsGiven) {
  const EvpPkeyPtr evp = make_key("rsa:2048");
  const auto public_key = PublicKey::from_evp(evp.get());
  const SecureBytes prime = secret_number(evp, OSSL_PKEY_PARAM_RSA_FACTOR1);
  const SecureBytes right = secret_number(evp, OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
  SecureBytes wrong = right;
  wrong.back() ^= 1U;
  for (const SecureBytes& coefficient : {right, wrong, SecureBytes(), SecureBytes(1), prime, SecureBytes(256, 0xFF),
                                         SecureBytes(257, 0xFF), SecureBytes(1 << 20, 0xFF)}) {
    const auto key = SoftwareKey::from_rsa_prime(*public_key, prime, coefficient, {});
    ASSERT_TRUE(key) << key.error().message;
    const SignScheme scheme{SignAlgorithm::kRsaPkcs1, Digest::kSha256};
    EXPECT_TRUE(public_key->verify(scheme, Bytes(32), sign(**key, scheme, Bytes(32)))) << coefficient.size();
  }
}

TEST(SoftwareKey, RefusesAPrimeOfAnotherModulus) {
  const EvpPkeyPtr evp = make_key("rsa:2048");
  const auto public_key = PublicKey::from_evp(evp.get());
  const auto refused = [&public_key](const SecureBytes& prime) {
    const auto key = SoftwareKey::from_rsa_prime(*public_key, prime, {}, {});
    return !key && key.error().code == ErrorCode::kKeyMismatch;
  };
  EXPECT_TRUE(refused(secret_number(make_key("rsa:2048"), OSSL_PKEY_PARAM_RSA_FACTOR1)));
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({1}));
  EXPECT_TRUE(refused(secret_number(evp, OSSL_PKEY_PARAM_RSA_N)));
  EXPECT_TRUE(refused(SecureBytes(4000, 0xFF)));
  SecureBytes prime = secret_number(evp, OSSL_PKEY_PARAM_RSA_FACTOR1);
  prime[40] ^= 1U;
  EXPECT_TRUE(refused(prime));
}

TEST(SoftwareKey, IsCompletedFromItsScalar) {
  for (const char* type : {"ec:P-256", "ec:P-384", "ec:P-521"}) {
    const EvpPkeyPtr evp = make_key(type);
    const auto public_key = PublicKey::from_evp(evp.get());
    SecureBytes scalar = secret_number(evp, OSSL_PKEY_PARAM_PRIV_KEY);
    const auto key = SoftwareKey::from_scalar(*public_key, scalar, {});
    ASSERT_TRUE(key) << type << key.error().message;
    EXPECT_TRUE(
        public_key->verify({SignAlgorithm::kEcdsa}, Bytes(32), sign(**key, {SignAlgorithm::kEcdsa}, Bytes(32))));
    scalar.back() ^= 1U;
    EXPECT_EQ(SoftwareKey::from_scalar(*public_key, scalar, {}).error().code, ErrorCode::kKeyMismatch);
    EXPECT_EQ(SoftwareKey::from_scalar(*public_key, {}, {}).error().code, ErrorCode::kKeyMismatch);
    EXPECT_EQ(SoftwareKey::from_scalar(*public_key, SecureBytes(66, 0xFF), {}).error().code, ErrorCode::kKeyMismatch);
  }
}

TEST(SoftwareKey, IsCompletedFromItsSeed) {
  for (const char* type : {"ed25519", "ed448"}) {
    const EvpPkeyPtr evp = make_key(type);
    const auto public_key = PublicKey::from_evp(evp.get());
    SecureBytes seed(public_key->field_size());
    std::size_t length = seed.size();
    ASSERT_EQ(EVP_PKEY_get_raw_private_key(evp.get(), seed.data(), &length), 1);
    EXPECT_TRUE(SoftwareKey::from_scalar(*public_key, seed, {}));
    seed[0] ^= 1U;
    EXPECT_EQ(SoftwareKey::from_scalar(*public_key, seed, {}).error().code, ErrorCode::kKeyMismatch);
    seed.pop_back();
    EXPECT_EQ(SoftwareKey::from_scalar(*public_key, seed, {}).error().code, ErrorCode::kKeyMismatch);
  }
}

TEST(SoftwareKey, RefusesAnotherPublicKey) {
  const auto other = PublicKey::from_evp(make_key("ec:P-256").get());
  EXPECT_EQ(SoftwareKey::from_evp(make_key("ec:P-256"), *other, {}).error().code, ErrorCode::kKeyMismatch);
}

/// A key as a damaged file has it: the public part of one, secrets of another.
EvpPkeyPtr patchwork(const EvpPkeyPtr& shown, const EvpPkeyPtr& hidden, const char* type,
                     const std::vector<const char*>& secrets) {
  OSSL_PARAM* params = nullptr;
  OSSL_PARAM* other = nullptr;
  if (EVP_PKEY_todata(shown.get(), EVP_PKEY_KEYPAIR, &params) != 1 ||
      EVP_PKEY_todata(hidden.get(), EVP_PKEY_KEYPAIR, &other) != 1) {
    throw std::runtime_error("todata");
  }
  for (const char* name : secrets) {
    const OSSL_PARAM* from = OSSL_PARAM_locate_const(other, name);
    OSSL_PARAM* to = OSSL_PARAM_locate(params, name);
    if (from == nullptr || to == nullptr) throw std::runtime_error(name);
    *to = *from;  // now and then one of two numbers is a byte shorter
  }
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(libctx(), type, nullptr));
  EVP_PKEY* made = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  if (EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, params) != 1) throw std::runtime_error("fromdata");
  OSSL_PARAM_free(params);
  OSSL_PARAM_free(other);
  return EvpPkeyPtr(made);
}

TEST(SoftwareKey, RefusesADamagedSecret) {
  const auto ec = make_key("ec:P-256");
  EXPECT_EQ(SoftwareKey::from_evp(patchwork(ec, make_key("ec:P-256"), "EC", {OSSL_PKEY_PARAM_PRIV_KEY}),
                                  *PublicKey::from_evp(ec.get()), {})
                .error()
                .code,
            ErrorCode::kKeyMismatch);
  const auto rsa = make_key("rsa:1024");
  const auto other = make_key("rsa:1024");
  const auto public_key = PublicKey::from_evp(rsa.get());
  EXPECT_EQ(
      SoftwareKey::from_evp(patchwork(rsa, other, "RSA", {OSSL_PKEY_PARAM_RSA_FACTOR1}), *public_key, {}).error().code,
      ErrorCode::kKeyMismatch);
  // What follows from the prime is computed, whatever stands beside it.
  const auto key = SoftwareKey::from_evp(patchwork(rsa, other, "RSA",
                                                   {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                                    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}),
                                         *public_key, {});
  ASSERT_TRUE(key);
  const Bytes digest(32, 0x31);
  const SignScheme scheme{SignAlgorithm::kRsaPkcs1, Digest::kSha256};
  EXPECT_TRUE(public_key->verify(scheme, digest, sign(**key, scheme, digest)));
}

TEST(SoftwareKey, DecryptsWhatItsPublicKeyEncrypts) {
  const auto key = software_key(make_key("rsa:2048"));
  const Bytes plaintext{1, 2, 3, 4};
  const std::vector<CipherScheme> schemes{
      {CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}},
      {CipherAlgorithm::kRsaOaep, Digest::kSha1, Digest::kSha1, {}},
      {CipherAlgorithm::kRsaOaep, Digest::kSha256, Digest::kSha384, {'l', 'a', 'b', 'e', 'l'}},
  };
  for (const CipherScheme& scheme : schemes) {
    const auto ciphertext = key->public_key().encrypt(scheme, plaintext);
    ASSERT_TRUE(ciphertext) << ciphertext.error().message;
    const auto decrypted = key->decrypt(scheme, *ciphertext);
    ASSERT_TRUE(decrypted) << decrypted.error().message;
    EXPECT_TRUE(equal(*decrypted, plaintext));
  }
  const auto labelled = key->public_key().encrypt(schemes[2], plaintext);
  CipherScheme other_label = schemes[2];
  other_label.label = {'x'};
  EXPECT_EQ(key->decrypt(other_label, *labelled).error().code, ErrorCode::kDecryptionFailed);
}

TEST(SoftwareKey, DerivesTheSameOnBothSides) {
  for (const char* type : {"ec:P-256", "ec:P-384", "ec:P-521"}) {
    const auto a = software_key(make_key(type));
    const auto b = software_key(make_key(type));
    const auto ab = a->derive(b->public_key().ec_point());
    const auto ba = b->derive(a->public_key().ec_point());
    ASSERT_TRUE(ab && ba);
    EXPECT_EQ(*ab, *ba);
    EXPECT_EQ(ab->size(), a->public_key().field_size());
    Bytes off_curve = to_bytes(b->public_key().ec_point());
    off_curve.back() ^= 1U;
    EXPECT_EQ(a->derive(off_curve).error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(a->derive(Bytes(3)));
  }
  EXPECT_FALSE(software_key(make_key("rsa:2048"))->can_derive());
}

}  // namespace
}  // namespace devtrust
