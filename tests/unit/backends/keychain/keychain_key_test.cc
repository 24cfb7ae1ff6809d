#include "backends/keychain/keychain_key.h"

#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "backends/keychain/security.h"
#include "tests/unit/backends/keychain/fixture.h"

namespace devtrust {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::KeychainFile;
using testing::Leaf;
using ::testing::Not;

constexpr Digest kDigests[] = {Digest::kSha1, Digest::kSha224, Digest::kSha256, Digest::kSha384, Digest::kSha512};

class KeychainKeyTest : public testing::KeychainTest {
 protected:
  /// The key of a new keychain that holds `leaf` and these settings.
  std::shared_ptr<const PrivateKey> key(const Leaf& leaf, bool prompt = false, std::vector<std::string> settings = {}) {
    file_.add(leaf);
    file_.set(std::move(settings));
    return only_key(file_, prompt);
  }
  static void expect_error(const Result<std::size_t>& result, ErrorCode code, const std::string& text) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr(text));
  }
  KeychainFile file_ = keychain();
};

TEST_F(KeychainKeyTest, SignsWithRsaInEveryWay) {
  const auto rsa = key(rsa_);
  for (const Digest digest : kDigests) {
    const auto size = static_cast<std::uint16_t>(digest_size(digest));
    for (const SignScheme& scheme :
         {SignScheme{SignAlgorithm::kRsaPkcs1, digest}, SignScheme{SignAlgorithm::kRsaPss, digest, digest, size}}) {
      EXPECT_TRUE(rsa->can_sign(scheme));
      expect_signature(*rsa, scheme, Bytes(size, 0x42));
    }
  }
  expect_signature(*rsa, {SignAlgorithm::kRsaPkcs1}, Bytes(36, 0x42));
  expect_signature(*rsa, {SignAlgorithm::kRsaPkcs1}, Bytes());
  Bytes block(256, 0x42);
  block[0] = 0;
  expect_signature(*rsa, {SignAlgorithm::kRsaRaw}, block);
}

TEST_F(KeychainKeyTest, SignsWithEveryCurveDigestsOfEveryLength) {
  for (const char* curve : {"ec:P-256", "ec:P-384", "ec:P-521"}) {
    KeychainFile file = keychain("curve.keychain-db");
    file.add(pki_.issue({.key = curve}));
    const auto ec = only_key(file);
    for (const std::size_t size : {20U, 28U, 32U, 33U, 48U, 64U, 100U}) {
      SCOPED_TRACE(std::string(curve) + ' ' + std::to_string(size));
      expect_signature(*ec, {SignAlgorithm::kEcdsa}, Bytes(size, 0x42));
    }
  }
}

TEST_F(KeychainKeyTest, AKeyThatWantsToKnowTheDigestIsTold) {
  const auto ec = key(ec_, false, {"lacks ECDSASignatureDigestX962"});
  EXPECT_TRUE(ec->can_sign({SignAlgorithm::kEcdsa}));
  for (const Digest digest : kDigests) {
    if (digest_size(digest) > 32) continue;
    expect_signature(*ec, {SignAlgorithm::kEcdsa}, Bytes(digest_size(digest), 0x42));
  }
  Bytes signature(80);
  expect_error(ec->sign({SignAlgorithm::kEcdsa}, Bytes(31), signature), ErrorCode::kUnsupported, "cannot do this");
}

TEST_F(KeychainKeyTest, DecryptsInEveryWay) {
  const auto rsa = key(rsa_);
  const Bytes secret{'s', 'e', 'c', 'r', 'e', 't'};
  std::vector<CipherScheme> schemes{{CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}}};
  for (const Digest digest : kDigests) schemes.push_back({CipherAlgorithm::kRsaOaep, digest, digest, {}});
  for (const CipherScheme& scheme : schemes) {
    ASSERT_TRUE(rsa->can_decrypt(scheme));
    const auto plaintext = rsa->decrypt(scheme, *rsa->public_key().encrypt(scheme, secret));
    ASSERT_TRUE(plaintext) << plaintext.error().message;
    EXPECT_TRUE(equal(*plaintext, secret));
  }
  const CipherScheme raw{CipherAlgorithm::kRsaRaw, Digest::kNone, Digest::kNone, {}};
  Bytes block(256, 0x42);
  block[0] = block[1] = 0;
  EXPECT_TRUE(equal(*rsa->decrypt(raw, *rsa->public_key().encrypt(raw, block)), block));
  for (const std::size_t size : {255U, 256U, 257U}) {
    EXPECT_EQ(rsa->decrypt(schemes[0], Bytes(size, 0x11)).error().code, ErrorCode::kDecryptionFailed) << size;
  }
}

TEST_F(KeychainKeyTest, DerivesAsAPeerDoes) {
  const auto ours = key(ec_);
  KeychainFile other = keychain("other.keychain-db");
  other.add(pki_.issue({.key = "ec:P-256"}));
  const auto theirs = only_key(other);
  ASSERT_TRUE(ours->can_derive());
  const auto one = ours->derive(theirs->public_key().ec_point());
  const auto two = theirs->derive(ours->public_key().ec_point());
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->size(), 32U);
  EXPECT_TRUE(equal(*one, *two));
  EXPECT_EQ(ours->derive(Bytes(65, 4)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ours->derive(Bytes(64, 4)).error().code, ErrorCode::kCorrupt);
}

TEST_F(KeychainKeyTest, PromisesWhatMacOsSaysAndNoMore) {
  const auto rsa =
      key(rsa_, false, {"lacks RSASignatureDigestPSSSHA384", "lacks RSAEncryptionPKCS1", "lacks RSASignatureRaw"});
  EXPECT_TRUE(rsa->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 32}));
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 20}));
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kRsaPss, Digest::kSha384, Digest::kSha384, 48}));
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kRsaRaw}));
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kEcdsa}));
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kEddsa}));
  EXPECT_FALSE(rsa->can_decrypt({CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}}));
  EXPECT_TRUE(rsa->can_decrypt({CipherAlgorithm::kRsaOaep, Digest::kSha1, Digest::kSha1, {}}));
  EXPECT_FALSE(rsa->can_derive());
  Bytes signature(256);
  expect_error(rsa->sign({SignAlgorithm::kRsaRaw}, Bytes(256), signature), ErrorCode::kUnsupported, "cannot do this");
  EXPECT_EQ(rsa->derive(Bytes(65, 4)).error().code, ErrorCode::kUnsupported);
}

TEST_F(KeychainKeyTest, RefusesLengthsBeforeMacOsIsAsked) {
  const auto rsa = key(rsa_);
  Bytes signature(256);
  expect_error(rsa->sign({SignAlgorithm::kRsaPkcs1, Digest::kSha256}, Bytes(20), signature),
               ErrorCode::kInvalidArgument, "length");
  expect_error(rsa->sign({SignAlgorithm::kRsaPkcs1}, Bytes(246), signature), ErrorCode::kInvalidArgument, "length");
  expect_error(rsa->sign({SignAlgorithm::kRsaRaw}, Bytes(255), signature), ErrorCode::kInvalidArgument, "length");
  EXPECT_EQ(security_double_calls("SecKeyCreateSignature"), 0U);
}

TEST_F(KeychainKeyTest, ASignatureOfTheWrongLengthIsNotHandedOn) {
  const auto rsa = key(rsa_);
  security_double_shorten_signature(1);
  expect_error(sign(*rsa), ErrorCode::kIo, "of a length that the key does not make");
}

TEST_F(KeychainKeyTest, IsFetchedOnFirstUseAndKept) {
  const auto rsa = key(rsa_);
  EXPECT_EQ(security_double_calls("SecIdentityCopyPrivateKey"), 0U) << "by reading alone";
  const std::size_t searches = security_double_calls("SecItemCopyMatching");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(sign(*rsa));
  EXPECT_EQ(security_double_calls("SecIdentityCopyPrivateKey"), 1U);
  EXPECT_EQ(security_double_calls("SecItemCopyMatching"), searches);
}

TEST_F(KeychainKeyTest, WhatFailedIsFetchedOnceMore) {
  const auto rsa = key(rsa_);
  ASSERT_TRUE(sign(*rsa));
  security_double_fail("SecKeyCreateSignature", -67712, 1);  // errSecInvalidKeyRef
  EXPECT_TRUE(sign(*rsa));
  EXPECT_EQ(security_double_calls("SecIdentityCopyPrivateKey"), 2U);
  security_double_fail("SecKeyCreateSignature", -67712, 2);
  expect_error(sign(*rsa), ErrorCode::kIo, rsa_.common_name);
  EXPECT_TRUE(sign(*rsa)) << "and the next use begins anew";
}

TEST_F(KeychainKeyTest, ARefusalIsNotTriedTwice) {
  const auto rsa = key(rsa_, true);
  ASSERT_TRUE(sign(*rsa));
  const std::size_t before = security_double_calls("SecKeyCreateSignature");
  security_double_fail("SecKeyCreateSignature", -128, 1);
  expect_error(sign(*rsa), ErrorCode::kAccessDenied, "the user refused");
  EXPECT_EQ(security_double_calls("SecKeyCreateSignature"), before + 1);
}

TEST_F(KeychainKeyTest, AFirstFetchThatFailsLooksForTheIdentityAgain) {
  const auto rsa = key(rsa_);
  security_double_fail("SecIdentityCopyPrivateKey", -25304, 1);
  EXPECT_TRUE(sign(*rsa));
  EXPECT_TRUE(rsa->intact());
}

TEST_F(KeychainKeyTest, AKeyThatWasFetchedOutlivesItsRenewal) {
  const auto used = key(rsa_);
  ASSERT_TRUE(sign(*used));
  file_.remove(rsa_);
  EXPECT_TRUE(sign(*used));
}

TEST_F(KeychainKeyTest, SaysThatItIsGone) {
  const auto rsa = key(rsa_);
  file_.remove(rsa_);
  security_double_fail("SecIdentityCopyPrivateKey", -25304, 1);
  expect_error(sign(*rsa), ErrorCode::kNotFound, "renewed or removed");
  EXPECT_FALSE(rsa->intact());
}

TEST_F(KeychainKeyTest, ALockedKeychainIsNamed) {
  const auto rsa = key(rsa_, false, {"locked"});
  expect_error(sign(*rsa), ErrorCode::kAccessDenied,
               "is locked: run security unlock-keychain " + file_.path().string());
  file_.set({});
  EXPECT_TRUE(sign(*rsa));
}

TEST_F(KeychainKeyTest, AProgramThatIsNotListedIsToldWhatToDo) {
  const auto rsa = key(rsa_, false, {"asks"});
  const auto refused = sign(*rsa);
  expect_error(refused, ErrorCode::kAccessDenied, "list the program in the agent's settings");
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("prompt = true"), Not(HasSubstr("locked"))));
  EXPECT_EQ(security_double_dialogs(), 0U);
}

TEST_F(KeychainKeyTest, AWrongPasswordIsToldApart) {
  const auto rsa = key(rsa_, false, {"wrong-password"});
  expect_error(sign(*rsa), ErrorCode::kAccessDenied, "did not accept the password");
}

TEST_F(KeychainKeyTest, AsksOnlyWhereTheConfigurationAllowsIt) {
  const auto rsa = key(rsa_, true, {"asks"});
  EXPECT_TRUE(rsa->can_sign({SignAlgorithm::kRsaPkcs1, Digest::kSha256}));
  EXPECT_TRUE(rsa->intact());
  const std::size_t before = security_double_dialogs();
  EXPECT_TRUE(sign(*rsa));
  EXPECT_EQ(security_double_dialogs(), before + 1);
  file_.set({"asks", "refused"});
  expect_error(sign(*rsa), ErrorCode::kAccessDenied, "the user refused");
}

TEST_F(KeychainKeyTest, LeavesTheHostsSettingAsItWas) {
  const auto rsa = key(rsa_);
  for (const bool allowed : {true, false}) {
    security::allow_interaction(allowed);
    ASSERT_TRUE(sign(*rsa));
    EXPECT_EQ(security::interaction_allowed().value(), allowed);
  }
  security::allow_interaction(true);
}

TEST_F(KeychainKeyTest, AnItemOfTheDataProtectionKeychainDoesNotAsk) {
  KeychainFile file = keychain("data-protection");
  file.add(ec_);
  file.set({"asks"});
  const auto stores = keychain_usual_places({})->stores();
  const StoreContents contents = read(*stores.back());
  const auto ec = key_of(contents, ec_);
  ASSERT_TRUE(ec);
  const std::size_t before = security_double_dialogs();
  expect_error(sign(*ec), ErrorCode::kAccessDenied, "prompt = true");
  EXPECT_EQ(security_double_dialogs(), before);
}

TEST_F(KeychainKeyTest, RefusesAKeyThatIsNotTheCertificates) {
  file_.add_key(pki_.issue({.key = "rsa:2048"}).key);
  const auto rsa = key(rsa_, false, {"mismatch"});
  expect_error(sign(*rsa), ErrorCode::kKeyMismatch, "does not belong");
  EXPECT_FALSE(rsa->intact());
  file_.add_key(pki_.issue({.key = "ec:P-384"}).key);
}

TEST_F(KeychainKeyTest, AKeyThatHidesItsPublicPartIsBelieved) {
  const auto rsa = key(rsa_);
  security_double_fail("SecKeyCopyPublicKey", -50, 1);
  EXPECT_TRUE(sign(*rsa));
}

TEST_F(KeychainKeyTest, WhereItCannotBeFetchedItsUseSaysWhy) {
  const auto rsa = key(rsa_);
  security_double_fail("SecIdentityCopyPrivateKey", -25291, 100);
  EXPECT_TRUE(rsa->can_sign({SignAlgorithm::kRsaPkcs1, Digest::kSha256}));
  EXPECT_FALSE(rsa->can_decrypt({CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}}));
  expect_error(sign(*rsa), ErrorCode::kBusy, "not ready yet");
  security_double_fail("SecIdentityCopyPrivateKey", 0, 0);
  EXPECT_TRUE(rsa->prepare());
}

TEST_F(KeychainKeyTest, AForkedChildCallsNothing) {
  const auto rsa = key(rsa_);
  ASSERT_TRUE(sign(*rsa));
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    const auto refused = sign(*rsa);
    const bool told = !refused && refused.error().code == ErrorCode::kIo &&
                      refused.error().message.find("forked") != std::string::npos;
    const bool quiet = rsa->can_sign({SignAlgorithm::kRsaPkcs1, Digest::kSha256}) && rsa->intact();
    const auto prepared = rsa->prepare();
    const auto decrypted = rsa->decrypt({CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}}, Bytes(256));
    _exit(told && quiet && !prepared && !decrypted ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(KeychainKeyTest, ThreadsShareOneKey) {
  const auto rsa = key(rsa_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) EXPECT_TRUE(sign(*rsa));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(security::interaction_allowed().value());
}

TEST_F(KeychainKeyTest, TenThousandSignaturesLeaveNothingBehind) {
  const auto ec = key(ec_);
  ASSERT_TRUE(sign(*ec));
  const std::size_t before = security_double_live_objects();
  for (int i = 0; i < 10000; ++i) ASSERT_TRUE(sign(*ec));
  EXPECT_EQ(security_double_live_objects(), before);
}

}  // namespace
}  // namespace devtrust
