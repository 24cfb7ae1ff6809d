#include "pkcs11/operation.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <array>
#include <map>
#include <numeric>
#include <ostream>

#include "tests/unit/identity/keys.h"

namespace devtrust::pkcs11 {
namespace {

using devtrust::testing::make_key;

const Audit kNoAudit("", false);

/// A new key, or for RSA, which takes long to make, the one of this size.
EvpPkeyPtr evp_key(const std::string& type) {
  static std::map<std::string, EvpPkeyPtr> rsa;
  if (!type.starts_with("rsa")) return make_key(type);
  EvpPkeyPtr& known = rsa[type];
  if (!known) known = make_key(type);
  EVP_PKEY_up_ref(known.get());
  return EvpPkeyPtr(known.get());
}

struct Pair {
  EvpPkeyPtr evp;
  IdentityPtr identity;
  const PublicKey& key() const { return identity->key->public_key(); }
};

Pair pair_of(const std::string& type) {
  Pair pair{evp_key(type), nullptr};
  EVP_PKEY_up_ref(pair.evp.get());
  const auto public_key = PublicKey::from_evp(pair.evp.get());
  auto identity = std::make_shared<Identity>();
  identity->key = *SoftwareKey::from_evp(EvpPkeyPtr(pair.evp.get()), *public_key, {});
  pair.identity = std::move(identity);
  return pair;
}

Bytes numbered(std::size_t size) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
  return bytes;
}

template <typename T>
CK_RV rv(const Answer<T>& answer) {
  return answer ? CKR_OK : answer.error().rv;
}

CK_MECHANISM plain(CK_MECHANISM_TYPE type) { return {type, nullptr, 0}; }

Answer<Bytes> sign(const CK_MECHANISM& mechanism, const Pair& pair, ByteView data, bool recover = false) {
  auto operation = SignOperation::begin(mechanism, pair.identity, recover);
  if (!operation) return tl::unexpected(operation.error());
  Bytes signature(operation->size());
  const auto length = operation->finish(data, signature, kNoAudit);
  if (!length) return tl::unexpected(length.error());
  signature.resize(*length);
  return signature;
}

CK_RV verify(const CK_MECHANISM& mechanism, const PublicKey& key, ByteView data, ByteView signature) {
  auto operation = VerifyOperation::begin(mechanism, key, false);
  return operation ? rv(operation->finish(data, signature)) : operation.error().rv;
}

// libcrypto by itself is the judge: a mechanism in its words.
struct Case {
  const char* key;
  CK_MECHANISM_TYPE type;
  const char* hash;  // that the mechanism computes; null: none
  int padding = 0;   // RSA
  const char* pss_hash = nullptr;
  CK_RSA_PKCS_PSS_PARAMS pss{};
  std::size_t input = 77;

  CK_MECHANISM mechanism() {
    if (padding != RSA_PKCS1_PSS_PADDING) return {type, nullptr, 0};
    return {type, &pss, sizeof pss};
  }
};

/// The tests' names.
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.key << ", " << mechanism_name(one.type);
  if (one.pss_hash != nullptr) *out << ", " << one.pss_hash << ", salt of " << one.pss.sLen;
  *out << ", " << one.input << " bytes";
}

const char* mgf_name(CK_RSA_PKCS_MGF_TYPE mgf) {
  switch (mgf) {
    case CKG_MGF1_SHA1:
      return "SHA1";
    case CKG_MGF1_SHA224:
      return "SHA224";
    case CKG_MGF1_SHA256:
      return "SHA256";
    case CKG_MGF1_SHA384:
      return "SHA384";
    default:
      return "SHA512";
  }
}

void set_up(EVP_PKEY_CTX* context, const Case& with) {
  if (with.padding == 0) return;
  ASSERT_GT(EVP_PKEY_CTX_set_rsa_padding(context, with.padding), 0);
  if (with.padding != RSA_PKCS1_PSS_PADDING) return;
  if (with.hash == nullptr) {
    const EvpMdPtr md(EVP_MD_fetch(libctx(), with.pss_hash, nullptr));
    ASSERT_GT(EVP_PKEY_CTX_set_signature_md(context, md.get()), 0);
  }
  ASSERT_GT(EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, mgf_name(with.pss.mgf), nullptr), 0);
  ASSERT_GT(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, static_cast<int>(with.pss.sLen)), 0);
}

bool edwards(EVP_PKEY* key) { return EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1; }

Bytes oracle_sign(EVP_PKEY* key, const Case& with, ByteView data) {
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  std::size_t length = signature.size();
  if (with.hash != nullptr || edwards(key)) {
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* inner = nullptr;
    EXPECT_GT(EVP_DigestSignInit_ex(context.get(), &inner, with.hash, libctx(), nullptr, key, nullptr), 0);
    set_up(inner, with);
    EXPECT_GT(EVP_DigestSign(context.get(), signature.data(), &length, data.data(), data.size()), 0);
  } else {
    const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(libctx(), key, nullptr));
    EXPECT_GT(EVP_PKEY_sign_init(context.get()), 0);
    set_up(context.get(), with);
    EXPECT_GT(EVP_PKEY_sign(context.get(), signature.data(), &length, data.data(), data.size()), 0);
  }
  signature.resize(length);
  return signature;
}

bool oracle_verify(EVP_PKEY* key, const Case& with, ByteView data, ByteView signature) {
  if (with.hash != nullptr || edwards(key)) {
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* inner = nullptr;
    EXPECT_GT(EVP_DigestVerifyInit_ex(context.get(), &inner, with.hash, libctx(), nullptr, key, nullptr), 0);
    set_up(inner, with);
    return EVP_DigestVerify(context.get(), signature.data(), signature.size(), data.data(), data.size()) == 1;
  }
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(libctx(), key, nullptr));
  EXPECT_GT(EVP_PKEY_verify_init(context.get()), 0);
  set_up(context.get(), with);
  return EVP_PKEY_verify(context.get(), signature.data(), signature.size(), data.data(), data.size()) == 1;
}

using SigPtr = std::unique_ptr<ECDSA_SIG, OpensslDeleter<ECDSA_SIG_free>>;

Bytes der_of(ByteView raw) {
  const std::size_t half = raw.size() / 2;
  const SigPtr signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(raw.data(), static_cast<int>(half), nullptr),
                 BN_bin2bn(raw.data() + half, static_cast<int>(half), nullptr));
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  Bytes bytes(der, der + length);
  OPENSSL_free(der);
  return bytes;
}

Bytes raw_of(ByteView der, std::size_t half) {
  const unsigned char* position = der.data();
  const SigPtr signature(d2i_ECDSA_SIG(nullptr, &position, static_cast<long>(der.size())));
  Bytes raw(2 * half);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), static_cast<int>(half));
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + half, static_cast<int>(half));
  return raw;
}

class SignMechanism : public ::testing::TestWithParam<Case> {};

TEST_P(SignMechanism, IsLibcryptosInBothDirections) {
  Case with = GetParam();
  const Pair pair = pair_of(with.key);
  const CK_MECHANISM mechanism = with.mechanism();
  const Bytes data = numbered(with.input);
  const bool ecdsa = pair.key().type() == KeyType::kEc;
  const LibcryptoUse use;

  const auto signature = sign(mechanism, pair, data);
  ASSERT_TRUE(signature) << signature.error().message;
  EXPECT_TRUE(oracle_verify(pair.evp.get(), with, data, ecdsa ? der_of(*signature) : *signature));

  const Bytes made = oracle_sign(pair.evp.get(), with, data);
  const Bytes theirs = ecdsa ? raw_of(made, pair.key().field_size()) : made;
  EXPECT_EQ(verify(mechanism, pair.key(), data, theirs), CKR_OK);
}

TEST_P(SignMechanism, WorksInParts) {
  Case with = GetParam();
  const Pair pair = pair_of(with.key);
  const CK_MECHANISM mechanism = with.mechanism();
  const Bytes data = numbered(with.input);
  auto signing = SignOperation::begin(mechanism, pair.identity, false);
  auto verifying = VerifyOperation::begin(mechanism, pair.key(), false);
  ASSERT_TRUE(signing);
  ASSERT_TRUE(verifying);
  EXPECT_FALSE(signing->in_parts());
  for (const auto& [from, size] : std::to_array<std::pair<std::size_t, std::size_t>>(
           {{0, 0}, {0, 1}, {1, data.size() / 2}, {1 + data.size() / 2, data.size() - 1 - data.size() / 2}})) {
    ASSERT_TRUE(signing->update(ByteView(data).subspan(from, size)));
    ASSERT_TRUE(verifying->update(ByteView(data).subspan(from, size)));
  }
  EXPECT_TRUE(signing->in_parts());
  EXPECT_TRUE(verifying->in_parts());
  Bytes signature(signing->size());
  const auto length = signing->finish({}, signature, kNoAudit);
  ASSERT_TRUE(length) << length.error().message;
  EXPECT_EQ(*length, signature.size());
  EXPECT_EQ(verify(mechanism, pair.key(), data, signature), CKR_OK);
  EXPECT_EQ(rv(verifying->finish({}, signature)), CKR_OK);
}

TEST_P(SignMechanism, RefusesOtherDataAndSignatures) {
  Case with = GetParam();
  const Pair pair = pair_of(with.key);
  const CK_MECHANISM mechanism = with.mechanism();
  const Bytes data = numbered(with.input);
  Bytes signature = *sign(mechanism, pair, data);
  Bytes other = data;
  other[1] ^= 0x40U;
  EXPECT_EQ(verify(mechanism, pair.key(), other, signature), CKR_SIGNATURE_INVALID);
  signature[signature.size() - 2] ^= 1U;
  EXPECT_EQ(verify(mechanism, pair.key(), data, signature), CKR_SIGNATURE_INVALID);
  signature.push_back(0);
  EXPECT_EQ(verify(mechanism, pair.key(), data, signature), CKR_SIGNATURE_LEN_RANGE);
  signature.resize(signature.size() - 2);
  EXPECT_EQ(verify(mechanism, pair.key(), data, signature), CKR_SIGNATURE_LEN_RANGE);
  EXPECT_EQ(verify(mechanism, pair.key(), data, {}), CKR_SIGNATURE_LEN_RANGE);
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

constexpr int kPkcs1 = RSA_PKCS1_PADDING;
constexpr int kPss = RSA_PKCS1_PSS_PADDING;
constexpr int kRaw = RSA_NO_PADDING;

INSTANTIATE_TEST_SUITE_P(
    Rsa, SignMechanism,
    ::testing::Values(
        Case{"rsa:2048", CKM_RSA_PKCS, nullptr, kPkcs1}, Case{"rsa:2048", CKM_SHA1_RSA_PKCS, "SHA1", kPkcs1},
        Case{"rsa:2048", CKM_SHA224_RSA_PKCS, "SHA224", kPkcs1},
        Case{"rsa:2048", CKM_SHA256_RSA_PKCS, "SHA256", kPkcs1},
        Case{"rsa:2048", CKM_SHA384_RSA_PKCS, "SHA384", kPkcs1},
        Case{"rsa:3072", CKM_SHA512_RSA_PKCS, "SHA512", kPkcs1},
        Case{"rsa:2048", CKM_RSA_X_509, nullptr, kRaw, nullptr, {}, 256},
        Case{"rsa:2048", CKM_RSA_PKCS_PSS, nullptr, kPss, "SHA1", {CKM_SHA_1, CKG_MGF1_SHA1, 20}, 20},
        Case{"rsa:2048", CKM_RSA_PKCS_PSS, nullptr, kPss, "SHA256", {CKM_SHA256, CKG_MGF1_SHA256, 0}, 32},
        Case{"rsa:2048", CKM_RSA_PKCS_PSS, nullptr, kPss, "SHA384", {CKM_SHA384, CKG_MGF1_SHA512, 206}, 48},
        Case{"rsa:2048", CKM_SHA1_RSA_PKCS_PSS, "SHA1", kPss, "SHA1", {CKM_SHA_1, CKG_MGF1_SHA1, 20}},
        Case{"rsa:2048", CKM_SHA224_RSA_PKCS_PSS, "SHA224", kPss, "SHA224", {CKM_SHA224, CKG_MGF1_SHA224, 28}},
        Case{"rsa:2048", CKM_SHA256_RSA_PKCS_PSS, "SHA256", kPss, "SHA256", {CKM_SHA256, CKG_MGF1_SHA256, 32}},
        Case{"rsa:2048", CKM_SHA384_RSA_PKCS_PSS, "SHA384", kPss, "SHA384", {CKM_SHA384, CKG_MGF1_SHA384, 48}},
        Case{"rsa:2048", CKM_SHA512_RSA_PKCS_PSS, "SHA512", kPss, "SHA512", {CKM_SHA512, CKG_MGF1_SHA1, 64}}));

INSTANTIATE_TEST_SUITE_P(
    Ec, SignMechanism,
    ::testing::Values(Case{"ec:P-256", CKM_ECDSA, nullptr, 0, nullptr, {}, 32},
                      Case{"ec:P-384", CKM_ECDSA, nullptr, 0, nullptr, {}, 20},
                      Case{"ec:P-521", CKM_ECDSA, nullptr, 0, nullptr, {}, 66},
                      Case{"ec:P-256", CKM_ECDSA_SHA1, "SHA1"}, Case{"ec:P-256", CKM_ECDSA_SHA224, "SHA224"},
                      Case{"ec:P-256", CKM_ECDSA_SHA256, "SHA256"}, Case{"ec:P-256", CKM_ECDSA_SHA512, "SHA512"},
                      Case{"ec:P-384", CKM_ECDSA_SHA384, "SHA384"}, Case{"ec:P-521", CKM_ECDSA_SHA512, "SHA512"},
                      Case{"ed25519", CKM_EDDSA, nullptr}, Case{"ed448", CKM_EDDSA, nullptr},
                      Case{"ed25519", CKM_EDDSA, nullptr, 0, nullptr, {}, 100000}));

TEST(SignOperation, KnowsTheLengthOfEachSignature) {
  const auto size = [](const char* key, CK_MECHANISM_TYPE type) {
    return SignOperation::begin(plain(type), pair_of(key).identity, false)->size();
  };
  EXPECT_EQ(size("rsa:2048", CKM_RSA_PKCS), 256U);
  EXPECT_EQ(size("ec:P-256", CKM_ECDSA), 64U);
  EXPECT_EQ(size("ec:P-384", CKM_ECDSA_SHA256), 96U);
  EXPECT_EQ(size("ec:P-521", CKM_ECDSA), 132U);
  EXPECT_EQ(size("ed25519", CKM_EDDSA), 64U);
  EXPECT_EQ(size("ed448", CKM_EDDSA), 114U);
}

TEST(SignOperation, PadsShortEcdsaNumbers) {
  const Pair pair = pair_of("ec:P-256");
  const Bytes digest = numbered(32);
  bool padded = false;
  for (int i = 0; i < 5000 && !padded; ++i) {  // one in 128 has a leading zero
    const Bytes signature = *sign(plain(CKM_ECDSA), pair, digest);
    ASSERT_EQ(signature.size(), 64U);
    if (signature[0] != 0 && signature[32] != 0) continue;
    padded = true;
    EXPECT_EQ(verify(plain(CKM_ECDSA), pair.key(), digest, signature), CKR_OK);
  }
  EXPECT_TRUE(padded);
}

TEST(SignOperation, TakesHashesOfAnyLengthForEcdsa) {
  for (const char* type : {"ec:P-256", "ec:P-521"}) {
    const Pair pair = pair_of(type);
    const std::size_t order = pair.key().field_size();
    for (const std::size_t size : {std::size_t{1}, std::size_t{20}, order, order + 1, std::size_t{4000}}) {
      Bytes digest = numbered(size);
      const Bytes signature = *sign(plain(CKM_ECDSA), pair, digest);
      const Case with{type, CKM_ECDSA, nullptr, 0, nullptr, {}, 0};
      EXPECT_TRUE(oracle_verify(pair.evp.get(), with, digest, der_of(signature))) << size;
      if (size <= order) continue;
      digest.resize(order);  // what is behind counts for nothing
      EXPECT_EQ(verify(plain(CKM_ECDSA), pair.key(), digest, signature), CKR_OK);
    }
  }
}

TEST(VerifyOperation, TakesShorterHalvesForEcdsa) {
  const Pair pair = pair_of("ec:P-521");
  const Bytes digest = numbered(64);
  Bytes signature;
  do {  // one in four: the order has 521 bits in 66 octets
    signature = *sign(plain(CKM_ECDSA), pair, digest);
  } while (signature[0] != 0 || signature[66] != 0);
  Bytes shorter(signature.begin() + 1, signature.begin() + 66);
  shorter.insert(shorter.end(), signature.begin() + 67, signature.end());
  EXPECT_EQ(verify(plain(CKM_ECDSA), pair.key(), digest, shorter), CKR_OK);
  shorter.pop_back();
  EXPECT_EQ(verify(plain(CKM_ECDSA), pair.key(), digest, shorter), CKR_SIGNATURE_LEN_RANGE) << "an odd length";
  EXPECT_EQ(verify(plain(CKM_ECDSA), pair.key(), digest, Bytes(2, 1)), CKR_SIGNATURE_INVALID) << "r = s = 1";
  EXPECT_EQ(verify(plain(CKM_ECDSA), pair.key(), digest, Bytes(132, 0)), CKR_SIGNATURE_INVALID);
}

TEST(SignOperation, ChecksLengths) {
  const Pair rsa = pair_of("rsa:2048");
  EXPECT_EQ(rv(sign(plain(CKM_RSA_PKCS), rsa, numbered(245))), CKR_OK);
  EXPECT_EQ(rv(sign(plain(CKM_RSA_PKCS), rsa, numbered(246))), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(rv(sign(plain(CKM_RSA_X_509), rsa, numbered(257))), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(rv(sign(plain(CKM_RSA_X_509), rsa, Bytes(256, 0xFF))), CKR_DATA_INVALID);
  EXPECT_EQ(rv(sign(plain(CKM_RSA_X_509), rsa, rsa.key().modulus())), CKR_DATA_INVALID);
  Bytes below = to_bytes(rsa.key().modulus());
  --below.back();
  EXPECT_EQ(rv(sign(plain(CKM_RSA_X_509), rsa, below)), CKR_OK);
  CK_RSA_PKCS_PSS_PARAMS parameter{CKM_SHA256, CKG_MGF1_SHA256, 32};
  const CK_MECHANISM pss{CKM_RSA_PKCS_PSS, &parameter, sizeof parameter};
  EXPECT_EQ(rv(sign(pss, rsa, numbered(31))), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(rv(sign(pss, rsa, numbered(33))), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(verify(pss, rsa.key(), numbered(33), Bytes(256)), CKR_DATA_LEN_RANGE);

  auto parts = SignOperation::begin(plain(CKM_RSA_PKCS), rsa.identity, false);
  EXPECT_EQ(rv(parts->update(numbered(200))), CKR_OK);
  EXPECT_EQ(rv(parts->update(numbered(46))), CKR_DATA_LEN_RANGE);
}

TEST(SignOperation, SignsNothingAsData) {
  for (const auto& [key, type] :
       std::to_array<std::pair<const char*, CK_MECHANISM_TYPE>>({{"rsa:2048", CKM_SHA256_RSA_PKCS},
                                                                 {"rsa:2048", CKM_RSA_PKCS},
                                                                 {"rsa:2048", CKM_RSA_X_509},
                                                                 {"ec:P-256", CKM_ECDSA},
                                                                 {"ec:P-256", CKM_ECDSA_SHA256},
                                                                 {"ed25519", CKM_EDDSA},
                                                                 {"ed448", CKM_EDDSA}})) {
    const Pair pair = pair_of(key);
    const auto signature = sign(plain(type), pair, {});
    ASSERT_TRUE(signature) << mechanism_name(type);
    EXPECT_EQ(verify(plain(type), pair.key(), {}, *signature), CKR_OK) << mechanism_name(type);
  }
}

TEST(SignOperation, PadsRawRsaOnTheLeft) {
  const Pair rsa = pair_of("rsa:2048");
  const Bytes data = numbered(100);
  Bytes padded(156, 0);
  padded.insert(padded.end(), data.begin(), data.end());
  const Bytes signature = *sign(plain(CKM_RSA_X_509), rsa, data);
  EXPECT_EQ(signature, *sign(plain(CKM_RSA_X_509), rsa, padded));
  EXPECT_EQ(verify(plain(CKM_RSA_X_509), rsa.key(), data, signature), CKR_OK);
  EXPECT_EQ(verify(plain(CKM_RSA_X_509), rsa.key(), padded, signature), CKR_OK);
}

TEST(SignOperation, Recovers) {
  const Pair rsa = pair_of("rsa:2048");
  const Bytes data = numbered(100);
  const Bytes signature = *sign(plain(CKM_RSA_PKCS), rsa, data, true);
  auto recovering = VerifyOperation::begin(plain(CKM_RSA_PKCS), rsa.key(), true);
  ASSERT_TRUE(recovering);
  EXPECT_EQ(recovering->recover_size(), 245U);
  EXPECT_EQ(*recovering->recover(signature), data);
  EXPECT_EQ(rv(recovering->recover(ByteView(signature).first(255))), CKR_SIGNATURE_LEN_RANGE);
  Bytes wrong = signature;
  wrong[9] ^= 1U;
  EXPECT_EQ(rv(recovering->recover(wrong)), CKR_SIGNATURE_INVALID);

  Bytes whole(156, 0);
  whole.insert(whole.end(), data.begin(), data.end());
  auto raw = VerifyOperation::begin(plain(CKM_RSA_X_509), rsa.key(), true);
  EXPECT_EQ(raw->recover_size(), 256U);
  EXPECT_EQ(*raw->recover(*sign(plain(CKM_RSA_X_509), rsa, data, true)), whole);
  EXPECT_EQ(rv(sign(plain(CKM_SHA256_RSA_PKCS), rsa, data, true)), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(VerifyOperation::begin(plain(CKM_ECDSA), pair_of("ec:P-256").key(), true)), CKR_MECHANISM_INVALID);
}

/// A key that refuses with what a test says.
class RefusingKey final : public PrivateKey {
 public:
  RefusingKey(const PublicKey& key, ErrorCode code, bool can) : PrivateKey(key, {}), code_(code), can_(can) {}
  bool can_sign(const SignScheme& /*scheme*/) const override { return can_; }
  bool can_decrypt(const CipherScheme& /*scheme*/) const override { return can_; }
  bool can_derive() const override { return can_; }
  bool intact() const override { return true; }
  Result<std::size_t> sign(const SignScheme&, ByteView, std::span<std::uint8_t> out) const override {
    if (code_ != ErrorCode::kNotFound) return fail(code_, "refused");
    out[0] = 0x30;  // what no ECDSA signature is
    return 1;
  }
  Result<SecureBytes> decrypt(const CipherScheme&, ByteView) const override { return fail(code_, "refused"); }
  Result<SecureBytes> derive(ByteView) const override { return fail(code_, "refused"); }
  Result<void> prepare() const override { return {}; }

 private:
  ErrorCode code_;
  bool can_;
};

Pair refusing(const char* type, ErrorCode code, bool can = true) {
  const Pair real = pair_of(type);
  auto identity = std::make_shared<Identity>();
  identity->key = std::make_shared<RefusingKey>(real.key(), code, can);
  return {nullptr, identity};
}

TEST(SignOperation, TellsWhyAKeyDidNotSign) {
  const Bytes digest = numbered(32);
  const auto answer = [&digest](ErrorCode code) {
    return rv(sign(plain(CKM_ECDSA), refusing("ec:P-256", code), digest));
  };
  EXPECT_EQ(answer(ErrorCode::kLoginRequired), CKR_USER_NOT_LOGGED_IN);
  EXPECT_EQ(answer(ErrorCode::kKeyMismatch), CKR_DEVICE_ERROR);
  EXPECT_EQ(answer(ErrorCode::kAccessDenied), CKR_FUNCTION_REJECTED);
  EXPECT_EQ(answer(ErrorCode::kNotFound), CKR_FUNCTION_FAILED) << "a signature that is none";
  EXPECT_EQ(rv(sign(plain(CKM_ECDSA), refusing("ec:P-256", ErrorCode::kIo, false), digest)), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(DecryptOperation::begin(plain(CKM_RSA_PKCS), refusing("rsa:2048", ErrorCode::kIo, false).identity)),
            CKR_MECHANISM_INVALID);
}

TEST(SignOperation, AuditsBeforeTheKeyIsUsed) {
  const devtrust::testing::TempDir folder;
  devtrust::testing::Pki pki(folder / "pki", "ec:P-256");
  auto identity = std::make_shared<Identity>(*refusing("ec:P-256", ErrorCode::kInternal).identity);
  identity->leaf = devtrust::testing::load_certificate(pki.intermediate());
  const Audit broken((folder / "none" / "audit.log").string(), true);
  auto operation = SignOperation::begin(plain(CKM_ECDSA), identity, false);
  Bytes out(operation->size());
  EXPECT_EQ(rv(operation->finish(numbered(32), out, broken)), CKR_FUNCTION_REJECTED) << "the key itself says otherwise";
}

TEST(SignOperation, KeepsTheIdentityAlive) {
  Pair pair = pair_of("ec:P-256");
  auto operation = SignOperation::begin(plain(CKM_ECDSA), pair.identity, false);
  const PublicKey key = pair.key();
  pair.identity.reset();
  Bytes signature(operation->size());
  ASSERT_TRUE(operation->finish(numbered(32), signature, kNoAudit));
  EXPECT_EQ(verify(plain(CKM_ECDSA), key, numbered(32), signature), CKR_OK);
}

// Digests

TEST(DigestOperation, AgreesWithLibcrypto) {
  const Bytes data = numbered(1000);
  for (const auto& [type, name] : std::to_array<std::pair<CK_MECHANISM_TYPE, const char*>>({{CKM_SHA_1, "SHA1"},
                                                                                            {CKM_SHA224, "SHA224"},
                                                                                            {CKM_SHA256, "SHA256"},
                                                                                            {CKM_SHA384, "SHA384"},
                                                                                            {CKM_SHA512, "SHA512"}})) {
    auto operation = DigestOperation::begin(plain(type));
    ASSERT_TRUE(operation);
    ASSERT_TRUE(operation->update({}));
    ASSERT_TRUE(operation->update(ByteView(data).first(300)));
    ASSERT_TRUE(operation->update(ByteView(data).subspan(300)));
    Bytes digest(operation->size());
    ASSERT_TRUE(operation->finish(digest));
    std::array<unsigned char, EVP_MAX_MD_SIZE> expected{};
    std::size_t length = 0;
    ASSERT_EQ(EVP_Q_digest(libctx(), name, nullptr, data.data(), data.size(), expected.data(), &length), 1);
    EXPECT_TRUE(equal(digest, ByteView(expected).first(length))) << name;
  }
  EXPECT_EQ(rv(DigestOperation::begin(plain(CKM_MD5))), CKR_MECHANISM_INVALID);
}

// Encryption and decryption

struct CipherCase {
  CK_MECHANISM_TYPE type;
  int padding;
  std::size_t most;  // bytes of plaintext, with RSA-2048
  const char* hash = nullptr;
  const char* mgf1 = nullptr;
  CK_RSA_PKCS_OAEP_PARAMS oaep{};

  CK_MECHANISM mechanism() {
    if (hash == nullptr) return {type, nullptr, 0};
    return {type, &oaep, sizeof oaep};
  }
};

void PrintTo(const CipherCase& one, std::ostream* out) {
  *out << mechanism_name(one.type);
  if (one.hash != nullptr) *out << ", " << one.hash << ", MGF1 with " << one.mgf1;
}

std::array<CK_BYTE, 5> oaep_label{'l', 'a', 'b', 'e', 'l'};

class CipherMechanism : public ::testing::TestWithParam<CipherCase> {
 protected:
  Pair pair_ = pair_of("rsa:2048");

  EvpPkeyCtxPtr oracle(int (*begin)(EVP_PKEY_CTX*)) const {
    EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(libctx(), pair_.evp.get(), nullptr));
    EXPECT_GT(begin(context.get()), 0);
    EXPECT_GT(EVP_PKEY_CTX_set_rsa_padding(context.get(), GetParam().padding), 0);
    if (GetParam().hash == nullptr) return context;
    EXPECT_GT(EVP_PKEY_CTX_set_rsa_oaep_md_name(context.get(), GetParam().hash, nullptr), 0);
    EXPECT_GT(EVP_PKEY_CTX_set_rsa_mgf1_md_name(context.get(), GetParam().mgf1, nullptr), 0);
    if (GetParam().oaep.ulSourceDataLen > 0) {
      void* label = OPENSSL_memdup(oaep_label.data(), oaep_label.size());
      EXPECT_GT(EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), label, static_cast<int>(oaep_label.size())), 0);
    }
    return context;
  }
  /// With the zeros in front that a mechanism without a padding gives back.
  Bytes expected(ByteView data) const {
    Bytes bytes(GetParam().padding == kRaw ? 256 - data.size() : 0, 0);
    bytes.insert(bytes.end(), data.begin(), data.end());
    return bytes;
  }
};

TEST_P(CipherMechanism, IsLibcryptosInBothDirections) {
  CipherCase with = GetParam();
  const Bytes data = numbered(with.most - 1);
  auto encrypting = EncryptOperation::begin(with.mechanism(), pair_.key());
  ASSERT_TRUE(encrypting);
  EXPECT_EQ(encrypting->size(), 256U);
  const auto ours = encrypting->finish(data);
  ASSERT_TRUE(ours) << ours.error().message;
  Bytes plaintext(256);
  std::size_t length = plaintext.size();
  ASSERT_GT(
      EVP_PKEY_decrypt(oracle(EVP_PKEY_decrypt_init).get(), plaintext.data(), &length, ours->data(), ours->size()), 0);
  plaintext.resize(length);
  EXPECT_EQ(plaintext, expected(data));

  const Bytes clear = expected(data);
  Bytes theirs(256);
  length = theirs.size();
  ASSERT_GT(EVP_PKEY_encrypt(oracle(EVP_PKEY_encrypt_init).get(), theirs.data(), &length, clear.data(), clear.size()),
            0);
  auto decrypting = DecryptOperation::begin(with.mechanism(), pair_.identity);
  ASSERT_TRUE(decrypting);
  EXPECT_EQ(decrypting->max_size(), with.most);
  const auto decrypted = decrypting->finish(theirs, kNoAudit);
  ASSERT_TRUE(decrypted) << decrypted.error().message;
  EXPECT_TRUE(equal(*decrypted, clear));
}

TEST_P(CipherMechanism, WorksInParts) {
  CipherCase with = GetParam();
  const Bytes data = numbered(100);
  auto encrypting = EncryptOperation::begin(with.mechanism(), pair_.key());
  ASSERT_TRUE(encrypting->update(ByteView(data).first(1)));
  ASSERT_TRUE(encrypting->update(ByteView(data).subspan(1)));
  EXPECT_TRUE(encrypting->in_parts());
  const auto encrypted = encrypting->finish({});
  ASSERT_TRUE(encrypted);
  auto decrypting = DecryptOperation::begin(with.mechanism(), pair_.identity);
  EXPECT_FALSE(decrypting->in_parts());
  ASSERT_TRUE(decrypting->update(ByteView(*encrypted).first(255)));
  ASSERT_TRUE(decrypting->update(ByteView(*encrypted).subspan(255)));
  EXPECT_TRUE(decrypting->in_parts());
  EXPECT_TRUE(equal(*decrypting->finish({}, kNoAudit), expected(data)));
}

TEST_P(CipherMechanism, ChecksLengths) {
  CipherCase with = GetParam();
  const auto encrypt = [&](std::size_t size) {
    return rv(EncryptOperation::begin(with.mechanism(), pair_.key())->finish(numbered(size)));
  };
  EXPECT_EQ(encrypt(with.most - 1), CKR_OK);
  EXPECT_EQ(encrypt(with.most), CKR_OK);
  EXPECT_EQ(encrypt(with.most + 1), CKR_DATA_LEN_RANGE);
  auto parts = EncryptOperation::begin(with.mechanism(), pair_.key());
  EXPECT_EQ(rv(parts->update(numbered(with.most))), CKR_OK);
  EXPECT_EQ(rv(parts->update(numbered(1))), CKR_DATA_LEN_RANGE);

  const auto decrypt = [&](const Bytes& data) {
    return rv(DecryptOperation::begin(with.mechanism(), pair_.identity)->finish(data, kNoAudit));
  };
  EXPECT_EQ(decrypt(numbered(255)), CKR_ENCRYPTED_DATA_LEN_RANGE);
  EXPECT_EQ(decrypt(numbered(257)), CKR_ENCRYPTED_DATA_LEN_RANGE);
  EXPECT_EQ(decrypt({}), CKR_ENCRYPTED_DATA_LEN_RANGE);
  EXPECT_EQ(decrypt(Bytes(256, 0xFF)), CKR_ENCRYPTED_DATA_INVALID);
  EXPECT_EQ(decrypt(to_bytes(pair_.key().modulus())), CKR_ENCRYPTED_DATA_INVALID);
  auto long_one = DecryptOperation::begin(with.mechanism(), pair_.identity);
  EXPECT_EQ(rv(long_one->update(numbered(256))), CKR_OK);
  EXPECT_EQ(rv(long_one->update(numbered(1))), CKR_ENCRYPTED_DATA_LEN_RANGE);
}

INSTANTIATE_TEST_SUITE_P(Rsa, CipherMechanism,
                         ::testing::Values(CipherCase{CKM_RSA_PKCS, kPkcs1, 245}, CipherCase{CKM_RSA_X_509, kRaw, 256},
                                           CipherCase{CKM_RSA_PKCS_OAEP,
                                                      RSA_PKCS1_OAEP_PADDING,
                                                      214,
                                                      "SHA1",
                                                      "SHA1",
                                                      {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0}},
                                           CipherCase{CKM_RSA_PKCS_OAEP,
                                                      RSA_PKCS1_OAEP_PADDING,
                                                      190,
                                                      "SHA256",
                                                      "SHA1",
                                                      {CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, oaep_label.data(),
                                                       oaep_label.size()}},
                                           CipherCase{CKM_RSA_PKCS_OAEP,
                                                      RSA_PKCS1_OAEP_PADDING,
                                                      126,
                                                      "SHA512",
                                                      "SHA384",
                                                      {CKM_SHA512, CKG_MGF1_SHA384, 0, nullptr, 0}}));

TEST(DecryptOperation, DecryptsOnceForEachCiphertext) {
  const Pair rsa = pair_of("rsa:2048");
  const auto encrypted = [&rsa](std::size_t size) {
    return *EncryptOperation::begin(plain(CKM_RSA_PKCS), rsa.key())->finish(numbered(size));
  };
  auto operation = DecryptOperation::begin(plain(CKM_RSA_PKCS), rsa.identity);
  const Bytes first = encrypted(10);
  const auto before = operation->finish(first, kNoAudit);
  const auto again = operation->finish(first, kNoAudit);
  EXPECT_EQ(before->data(), again->data()) << "the same plaintext, kept";
  EXPECT_TRUE(equal(*operation->finish(encrypted(20), kNoAudit), numbered(20)));
}

TEST(DecryptOperation, TellsAWrongPaddingFromNothingElse) {
  const Pair rsa = pair_of("rsa:2048");
  CK_RSA_PKCS_OAEP_PARAMS parameter{CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0};
  const CK_MECHANISM oaep{CKM_RSA_PKCS_OAEP, &parameter, sizeof parameter};
  const Bytes for_pkcs1 = *EncryptOperation::begin(plain(CKM_RSA_PKCS), rsa.key())->finish(numbered(16));
  const auto answer = DecryptOperation::begin(oaep, rsa.identity)->finish(for_pkcs1, kNoAudit);
  EXPECT_EQ(rv(answer), CKR_ENCRYPTED_DATA_INVALID);
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

// Derivation

struct Derivation {
  Pair own = pair_of("ec:P-384");
  Pair other = pair_of("ec:P-384");
  CK_ULONG kdf = CKD_NULL;
  Bytes shared;

  Answer<SecureBytes> derive(CK_ULONG length, CK_MECHANISM_TYPE type = CKM_ECDH1_DERIVE) {
    Bytes point = to_bytes(other.key().ec_point());
    CK_ECDH1_DERIVE_PARAMS parameter{kdf, to_ulong(shared.size()), shared.data(), to_ulong(point.size()), point.data()};
    return derive_secret({type, &parameter, sizeof parameter}, *own.identity, length, kNoAudit);
  }
  /// The shared x coordinate by libcrypto, from the other side.
  Bytes expected() const {
    const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(libctx(), other.evp.get(), nullptr));
    EXPECT_GT(EVP_PKEY_derive_init(context.get()), 0);
    EXPECT_GT(EVP_PKEY_derive_set_peer(context.get(), own.evp.get()), 0);
    Bytes secret(48);
    std::size_t length = secret.size();
    EXPECT_GT(EVP_PKEY_derive(context.get(), secret.data(), &length), 0);
    return secret;
  }
};

Bytes digest_of(const char* hash, const std::vector<ByteView>& parts) {
  const EvpMdPtr md(EVP_MD_fetch(libctx(), hash, nullptr));
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  Bytes digest(static_cast<std::size_t>(EVP_MD_get_size(md.get())));
  EVP_DigestInit_ex2(context.get(), md.get(), nullptr);
  for (const ByteView part : parts) EVP_DigestUpdate(context.get(), part.data(), part.size());
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return digest;
}

TEST(DeriveSecret, GivesTheSharedCoordinate) {
  Derivation derivation;
  const Bytes expected = derivation.expected();
  EXPECT_TRUE(equal(*derivation.derive(0), expected));
  EXPECT_TRUE(equal(*derivation.derive(48), expected));
  EXPECT_TRUE(equal(*derivation.derive(0, CKM_ECDH1_COFACTOR_DERIVE), expected));
  EXPECT_TRUE(equal(*derivation.derive(32), ByteView(expected).last(32))) << "the leading end is cut off";
  EXPECT_EQ(rv(derivation.derive(49)), CKR_ATTRIBUTE_VALUE_INVALID);
}

TEST(DeriveSecret, AppliesTheKdf) {
  const Bytes one{0, 0, 0, 1};
  const Bytes two{0, 0, 0, 2};
  for (const auto& [kdf, hash] : std::to_array<std::pair<CK_ULONG, const char*>>({{CKD_SHA1_KDF, "SHA1"},
                                                                                  {CKD_SHA224_KDF, "SHA224"},
                                                                                  {CKD_SHA256_KDF, "SHA256"},
                                                                                  {CKD_SHA384_KDF, "SHA384"},
                                                                                  {CKD_SHA512_KDF, "SHA512"}})) {
    Derivation derivation;
    derivation.kdf = kdf;
    const Bytes secret = derivation.expected();
    EXPECT_TRUE(equal(*derivation.derive(0), digest_of(hash, {secret, one}))) << hash;
    derivation.shared = {9, 8, 7};
    Bytes blocks = digest_of(hash, {secret, one, derivation.shared});
    const std::size_t size = blocks.size();
    const Bytes second = digest_of(hash, {secret, two, derivation.shared});
    blocks.insert(blocks.end(), second.begin(), second.end());
    EXPECT_TRUE(equal(*derivation.derive(0), ByteView(blocks).first(size))) << hash;
    EXPECT_TRUE(equal(*derivation.derive(16), ByteView(blocks).first(16))) << hash;
    EXPECT_TRUE(equal(*derivation.derive(to_ulong(size + 5)), ByteView(blocks).first(size + 5))) << hash;
    EXPECT_EQ(rv(derivation.derive(~0UL)), CKR_ATTRIBUTE_VALUE_INVALID);
  }
}

TEST(DeriveSecret, TellsWhyNot) {
  Derivation derivation;
  derivation.own.identity = refusing("ec:P-384", ErrorCode::kLoginRequired).identity;
  EXPECT_EQ(rv(derivation.derive(0)), CKR_USER_NOT_LOGGED_IN);
  derivation.own.identity = refusing("ec:P-384", ErrorCode::kInvalidArgument).identity;
  EXPECT_EQ(rv(derivation.derive(0)), CKR_MECHANISM_PARAM_INVALID);
  derivation.own.identity = refusing("ec:P-384", ErrorCode::kIo, false).identity;
  EXPECT_EQ(rv(derivation.derive(0)), CKR_MECHANISM_INVALID);
}

}  // namespace
}  // namespace devtrust::pkcs11
