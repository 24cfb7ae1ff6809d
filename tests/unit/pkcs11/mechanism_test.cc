#include "pkcs11/mechanism.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "tests/unit/identity/keys.h"

namespace devtrust::pkcs11 {
namespace {

using devtrust::testing::make_key;

/// A new one, or for RSA, which takes long to make, the one of this size.
PublicKey public_key(const std::string& type) {
  static std::map<std::string, PublicKey> rsa;
  const auto known = rsa.find(type);
  if (known != rsa.end()) return known->second;
  PublicKey made = *PublicKey::from_evp(make_key(type).get());
  if (made.type() == KeyType::kRsa) rsa.emplace(type, made);
  return made;
}

/// A key that says what it can do and does nothing.
class FakeKey final : public PrivateKey {
 public:
  FakeKey(const PublicKey& key, bool can) : PrivateKey(key, {}), can_(can) {}
  bool can_sign(const SignScheme& scheme) const override { return can_ && scheme.algorithm != SignAlgorithm::kRsaRaw; }
  bool can_decrypt(const CipherScheme& /*scheme*/) const override { return can_; }
  bool can_derive() const override { return can_; }
  bool intact() const override { return true; }
  Result<std::size_t> sign(const SignScheme&, ByteView, std::span<std::uint8_t>) const override { return nothing(); }
  Result<SecureBytes> decrypt(const CipherScheme&, ByteView) const override { return nothing(); }
  Result<SecureBytes> derive(ByteView) const override { return nothing(); }
  Result<void> prepare() const override { return nothing(); }

 private:
  static tl::unexpected<Error> nothing() { return fail(ErrorCode::kUnsupported, "a fake"); }
  bool can_;
};

using Keys = std::vector<std::shared_ptr<const PrivateKey>>;

Keys keys(std::initializer_list<const char*> types, bool can = true) {
  Keys made;
  for (const char* type : types) made.push_back(std::make_shared<FakeKey>(public_key(type), can));
  return made;
}

CK_FLAGS flags_of(CK_MECHANISM_TYPE type, const Keys& of) {
  const auto info = mechanism_info(type, of);
  return info ? info->flags : 0;
}

const std::vector<CK_MECHANISM_TYPE> kDigests{CKM_SHA_1, CKM_SHA256, CKM_SHA224, CKM_SHA384, CKM_SHA512};
const std::vector<CK_MECHANISM_TYPE> kRsa{
    CKM_RSA_PKCS,        CKM_RSA_X_509,           CKM_SHA1_RSA_PKCS,       CKM_RSA_PKCS_OAEP,
    CKM_RSA_PKCS_PSS,    CKM_SHA1_RSA_PKCS_PSS,   CKM_SHA256_RSA_PKCS,     CKM_SHA384_RSA_PKCS,
    CKM_SHA512_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_SHA384_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS_PSS,
    CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS};
const std::vector<CK_MECHANISM_TYPE> kEc{CKM_ECDSA,        CKM_ECDSA_SHA1,           CKM_ECDSA_SHA224,
                                         CKM_ECDSA_SHA256, CKM_ECDSA_SHA384,         CKM_ECDSA_SHA512,
                                         CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE};

std::vector<CK_MECHANISM_TYPE> sorted(std::vector<CK_MECHANISM_TYPE> a, const std::vector<CK_MECHANISM_TYPE>& b) {
  a.insert(a.end(), b.begin(), b.end());
  std::ranges::sort(a);
  return a;
}

TEST(Mechanism, ListsWhatTheKeysCanDo) {
  EXPECT_EQ(mechanism_list({}), sorted(kDigests, {}));
  EXPECT_EQ(mechanism_list(keys({"rsa:2048"})), sorted(kDigests, kRsa));
  EXPECT_EQ(mechanism_list(keys({"ec:P-256"})), sorted(kDigests, kEc));
  EXPECT_EQ(mechanism_list(keys({"ed25519"})), sorted(kDigests, {CKM_EDDSA}));
  EXPECT_EQ(mechanism_list(keys({"ec:P-256", "ed448", "rsa:2048"})),
            sorted(sorted(kDigests, kRsa), sorted(kEc, {CKM_EDDSA})));
}

TEST(Mechanism, PromisesNothingThatNoKeyCanDo) {
  const Keys idle = keys({"rsa:2048", "ec:P-256"}, false);
  EXPECT_EQ(mechanism_list(idle), sorted(kDigests, {})) << "not for the public keys alone either";
  EXPECT_EQ(mechanism_info(CKM_ECDH1_DERIVE, idle).error().rv, CKR_MECHANISM_INVALID);
  EXPECT_EQ(flags_of(CKM_RSA_X_509, keys({"rsa:2048"})),
            CKF_ENCRYPT | CKF_DECRYPT);  // FakeKey does not sign without a padding
  EXPECT_EQ(mechanism_info(CKM_AES_GCM, keys({"rsa:2048"})).error().rv, CKR_MECHANISM_INVALID);
}

TEST(Mechanism, DescribesEach) {
  const Keys all = keys({"rsa:2048", "ec:P-384", "ed25519"});
  constexpr CK_FLAGS kBoth = CKF_SIGN | CKF_VERIFY;
  constexpr CK_FLAGS kCurve = CKF_EC_F_P | CKF_EC_NAMEDCURVE;
  const auto expect = [&all](CK_MECHANISM_TYPE type, CK_ULONG least, CK_ULONG most, CK_FLAGS flags) {
    const auto info = mechanism_info(type, all);
    ASSERT_TRUE(info) << mechanism_name(type);
    EXPECT_EQ(info->ulMinKeySize, least) << mechanism_name(type);
    EXPECT_EQ(info->ulMaxKeySize, most) << mechanism_name(type);
    EXPECT_EQ(info->flags, flags) << mechanism_name(type);
  };
  expect(CKM_RSA_PKCS, 1024, 16384, kBoth | CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER | CKF_ENCRYPT | CKF_DECRYPT);
  expect(CKM_SHA256_RSA_PKCS, 1024, 16384, kBoth);
  expect(CKM_RSA_PKCS_PSS, 1024, 16384, kBoth);
  expect(CKM_SHA512_RSA_PKCS_PSS, 1024, 16384, kBoth);
  expect(CKM_RSA_PKCS_OAEP, 1024, 16384, CKF_ENCRYPT | CKF_DECRYPT);
  expect(CKM_ECDSA, 256, 521, kBoth | kCurve | CKF_EC_UNCOMPRESS);
  expect(CKM_ECDSA_SHA384, 256, 521, kBoth | kCurve | CKF_EC_UNCOMPRESS);
  expect(CKM_ECDH1_DERIVE, 256, 521, CKF_DERIVE | kCurve | CKF_EC_UNCOMPRESS);
  expect(CKM_EDDSA, 255, 448, kBoth | kCurve | CKF_EC_COMPRESS);
  expect(CKM_SHA256, 0, 0, CKF_DIGEST);
}

TEST(Mechanism, HasNames) {
  EXPECT_EQ(mechanism_name(CKM_RSA_PKCS), "CKM_RSA_PKCS");
  EXPECT_EQ(mechanism_name(CKM_EDDSA), "CKM_EDDSA");
  EXPECT_EQ(mechanism_name(0x80000123UL), "CKM_0x80000123");
  EXPECT_EQ(known_mechanism_name(CKM_AES_GCM), nullptr);
}

// Plans

template <typename Parameter>
CK_MECHANISM with(CK_MECHANISM_TYPE type, Parameter& parameter) {
  return {type, &parameter, sizeof parameter};
}
CK_MECHANISM plain(CK_MECHANISM_TYPE type) { return {type, nullptr, 0}; }

template <typename T>
CK_RV rv(const Answer<T>& answer) {
  return answer ? CKR_OK : answer.error().rv;
}

TEST(MechanismPlan, OfHashAndSign) {
  const PublicKey rsa = public_key("rsa:2048");
  const auto plan = plan_sign(plain(CKM_SHA384_RSA_PKCS), rsa);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->hash, Digest::kSha384);
  EXPECT_EQ(plan->scheme, (SignScheme{SignAlgorithm::kRsaPkcs1, Digest::kSha384}));
  const auto raw = plan_sign(plain(CKM_RSA_PKCS), rsa);
  ASSERT_TRUE(raw);
  EXPECT_EQ(raw->hash, Digest::kNone);
  EXPECT_EQ(raw->scheme, SignScheme{});
  EXPECT_EQ(rv(plan_sign(plain(CKM_SHA256), rsa)), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(plan_sign(plain(CKM_RSA_PKCS_OAEP), rsa)), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(plan_sign(plain(CKM_ECDH1_DERIVE), public_key("ec:P-256"))), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(plan_sign(plain(CKM_ECDSA), rsa)), CKR_KEY_TYPE_INCONSISTENT);
  EXPECT_EQ(rv(plan_sign(plain(CKM_RSA_PKCS), public_key("ec:P-256"))), CKR_KEY_TYPE_INCONSISTENT);
  EXPECT_EQ(rv(plan_sign(plain(CKM_ECDSA), public_key("ed25519"))), CKR_KEY_TYPE_INCONSISTENT);
  EXPECT_EQ(rv(plan_sign(plain(CKM_EDDSA), public_key("ec:P-256"))), CKR_KEY_TYPE_INCONSISTENT);
}

TEST(MechanismPlan, RefusesAParameterWhereThereIsNone) {
  CK_ULONG word = 0;
  const PublicKey rsa = public_key("rsa:2048");
  EXPECT_EQ(rv(plan_sign(with(CKM_RSA_PKCS, word), rsa)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_sign(with(CKM_SHA256_RSA_PKCS, word), rsa)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_sign(with(CKM_ECDSA_SHA256, word), public_key("ec:P-256"))), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_cipher(with(CKM_RSA_PKCS, word), rsa)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_digest(with(CKM_SHA256, word))), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_digest({CKM_SHA256, &word, 0})), CKR_OK);
}

TEST(MechanismPlan, OfPss) {
  const PublicKey rsa = public_key("rsa:2048");
  CK_RSA_PKCS_PSS_PARAMS parameter{CKM_SHA256, CKG_MGF1_SHA1, 20};
  const auto plan = plan_sign(with(CKM_SHA256_RSA_PKCS_PSS, parameter), rsa);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->hash, Digest::kSha256);
  EXPECT_EQ(plan->scheme, (SignScheme{SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha1, 20}));
  EXPECT_EQ(plan_sign(with(CKM_RSA_PKCS_PSS, parameter), rsa)->hash, Digest::kNone);

  const auto refused = [&rsa](CK_MECHANISM_TYPE type, CK_RSA_PKCS_PSS_PARAMS with_this) {
    return rv(plan_sign(with(type, with_this), rsa)) == CKR_MECHANISM_PARAM_INVALID;
  };
  EXPECT_TRUE(refused(CKM_SHA384_RSA_PKCS_PSS, parameter)) << "another hash than the mechanism's";
  EXPECT_TRUE(refused(CKM_RSA_PKCS_PSS, {CKM_MD5, CKG_MGF1_SHA1, 20}));
  EXPECT_TRUE(refused(CKM_RSA_PKCS_PSS, {CKM_SHA256_RSA_PKCS, CKG_MGF1_SHA1, 20})) << "not a digest";
  EXPECT_TRUE(refused(CKM_RSA_PKCS_PSS, {CKM_SHA256, 0, 20}));
  EXPECT_TRUE(refused(CKM_RSA_PKCS_PSS, {CKM_SHA256, 99, 20}));
  EXPECT_FALSE(refused(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 256 - 32 - 2})) << "the longest salt";
  EXPECT_TRUE(refused(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 256 - 32 - 1}));
  EXPECT_TRUE(refused(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, ~0UL}));
  EXPECT_EQ(rv(plan_sign(plain(CKM_SHA256_RSA_PKCS_PSS), rsa)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_sign({CKM_SHA256_RSA_PKCS_PSS, nullptr, sizeof parameter}, rsa)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_sign({CKM_SHA256_RSA_PKCS_PSS, &parameter, sizeof parameter - 1}, rsa)),
            CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_sign({CKM_SHA256_RSA_PKCS_PSS, &parameter, sizeof parameter + 1}, rsa)),
            CKR_MECHANISM_PARAM_INVALID);
}

TEST(MechanismPlan, ReadsAParameterThatIsNotAligned) {
  const CK_RSA_PKCS_PSS_PARAMS parameter{CKM_SHA512, CKG_MGF1_SHA224, 7};
  std::array<std::uint8_t, sizeof parameter + 1> bytes{};
  std::memcpy(bytes.data() + 1, &parameter, sizeof parameter);
  const auto plan = plan_sign({CKM_RSA_PKCS_PSS, bytes.data() + 1, sizeof parameter}, public_key("rsa:2048"));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->scheme, (SignScheme{SignAlgorithm::kRsaPss, Digest::kSha512, Digest::kSha224, 7}));
}

TEST(MechanismPlan, OfPssWithAKeyThatTheHashFills) {
  const PublicKey rsa = public_key("rsa:1024");
  CK_RSA_PKCS_PSS_PARAMS parameter{CKM_SHA512, CKG_MGF1_SHA512, 62};
  EXPECT_EQ(rv(plan_sign(with(CKM_RSA_PKCS_PSS, parameter), rsa)), CKR_OK);
  parameter.sLen = 63;
  EXPECT_EQ(rv(plan_sign(with(CKM_RSA_PKCS_PSS, parameter), rsa)), CKR_MECHANISM_PARAM_INVALID);
}

TEST(MechanismPlan, OfEddsa) {
  const PublicKey ed448 = public_key("ed448");
  EXPECT_EQ(rv(plan_sign(plain(CKM_EDDSA), ed448)), CKR_OK);
  EddsaParams parameter{CK_FALSE, 0, nullptr};
  EXPECT_EQ(rv(plan_sign(with(CKM_EDDSA, parameter), ed448)), CKR_OK);
  EXPECT_EQ(rv(plan_sign(with(CKM_EDDSA, parameter), public_key("ed25519"))), CKR_OK);
  parameter.phFlag = CK_TRUE;
  EXPECT_EQ(rv(plan_sign(with(CKM_EDDSA, parameter), ed448)), CKR_MECHANISM_PARAM_INVALID);
  CK_BYTE context = 1;
  parameter = {CK_FALSE, 1, &context};
  EXPECT_EQ(rv(plan_sign(with(CKM_EDDSA, parameter), ed448)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_sign({CKM_EDDSA, &parameter, 1}, ed448)), CKR_MECHANISM_PARAM_INVALID);
}

TEST(MechanismPlan, OfOaep) {
  const PublicKey rsa = public_key("rsa:2048");
  std::array<CK_BYTE, 3> label{1, 2, 3};
  const auto planned = [&rsa](CK_RSA_PKCS_OAEP_PARAMS parameter) {
    return plan_cipher(with(CKM_RSA_PKCS_OAEP, parameter), rsa);
  };
  const auto scheme = planned({CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, label.data(), label.size()});
  ASSERT_TRUE(scheme);
  EXPECT_EQ(scheme->algorithm, CipherAlgorithm::kRsaOaep);
  EXPECT_EQ(scheme->digest, Digest::kSha256);
  EXPECT_EQ(scheme->mgf1, Digest::kSha1);
  EXPECT_EQ(scheme->label, (Bytes{1, 2, 3}));

  EXPECT_EQ(rv(planned({CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0})), CKR_OK);
  EXPECT_EQ(rv(planned({CKM_SHA_1, CKG_MGF1_SHA1, 0, nullptr, 0})), CKR_OK);
  EXPECT_EQ(rv(planned({CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 1})), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(planned({CKM_SHA_1, CKG_MGF1_SHA1, 0, label.data(), 1})), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(planned({CKM_SHA_1, CKG_MGF1_SHA1, 2, nullptr, 0})), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(planned({CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, label.data(), ~0UL})),
            CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(planned({CKM_MD5, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0})), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(planned({CKM_SHA_1, 0, CKZ_DATA_SPECIFIED, nullptr, 0})), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_cipher(plain(CKM_RSA_PKCS_OAEP), rsa)), CKR_MECHANISM_PARAM_INVALID);
  CK_RSA_PKCS_OAEP_PARAMS large{CKM_SHA512, CKG_MGF1_SHA512, CKZ_DATA_SPECIFIED, nullptr, 0};
  EXPECT_EQ(rv(plan_cipher(with(CKM_RSA_PKCS_OAEP, large), rsa)), CKR_OK);
  EXPECT_EQ(rv(plan_cipher(with(CKM_RSA_PKCS_OAEP, large), public_key("rsa:1024"))), CKR_MECHANISM_PARAM_INVALID);
}

TEST(MechanismPlan, OfOtherCiphers) {
  const PublicKey rsa = public_key("rsa:2048");
  EXPECT_EQ(plan_cipher(plain(CKM_RSA_PKCS), rsa)->algorithm, CipherAlgorithm::kRsaPkcs1);
  EXPECT_EQ(plan_cipher(plain(CKM_RSA_X_509), rsa)->algorithm, CipherAlgorithm::kRsaRaw);
  EXPECT_EQ(rv(plan_cipher(plain(CKM_SHA256_RSA_PKCS), rsa)), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(plan_cipher(plain(CKM_ECDSA), public_key("ec:P-256"))), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(plan_cipher(plain(CKM_RSA_PKCS), public_key("ec:P-256"))), CKR_KEY_TYPE_INCONSISTENT);
}

TEST(MechanismPlan, OfDigests) {
  EXPECT_EQ(plan_digest(plain(CKM_SHA_1)), Digest::kSha1);
  EXPECT_EQ(plan_digest(plain(CKM_SHA512)), Digest::kSha512);
  EXPECT_EQ(rv(plan_digest(plain(CKM_SHA256_RSA_PKCS))), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(plan_digest(plain(CKM_MD5))), CKR_MECHANISM_INVALID);
}

TEST(MechanismPlan, OfDerivation) {
  const PublicKey own = public_key("ec:P-256");
  const PublicKey other = public_key("ec:P-256");
  Bytes point = to_bytes(other.ec_point());
  Bytes wrapped{0x04, static_cast<std::uint8_t>(point.size())};
  wrapped.insert(wrapped.end(), point.begin(), point.end());
  std::array<CK_BYTE, 2> shared{7, 8};
  const auto planned = [&own](CK_ULONG kdf, std::span<CK_BYTE> data, Bytes& peer) {
    CK_ECDH1_DERIVE_PARAMS parameter{kdf, to_ulong(data.size()), data.data(), to_ulong(peer.size()), peer.data()};
    return plan_derive(with(CKM_ECDH1_DERIVE, parameter), own);
  };
  for (Bytes* form : {&point, &wrapped}) {
    const auto plan = planned(CKD_SHA256_KDF, shared, *form);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->peer, other);
    EXPECT_EQ(plan->kdf, Digest::kSha256);
    EXPECT_TRUE(equal(plan->shared_data, shared));
  }
  EXPECT_EQ(planned(CKD_NULL, {}, point)->kdf, Digest::kNone);
  EXPECT_EQ(rv(planned(CKD_NULL, shared, point)), CKR_MECHANISM_PARAM_INVALID) << "nothing takes the shared data";
  EXPECT_EQ(rv(planned(CKD_SHA1_KDF_ASN1, {}, point)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(planned(0, {}, point)), CKR_MECHANISM_PARAM_INVALID);
  Bytes off_curve = point;
  off_curve.back() ^= 1U;
  EXPECT_EQ(rv(planned(CKD_NULL, {}, off_curve)), CKR_MECHANISM_PARAM_INVALID);
  Bytes short_point(point.begin(), point.end() - 1);
  EXPECT_EQ(rv(planned(CKD_NULL, {}, short_point)), CKR_MECHANISM_PARAM_INVALID);
  Bytes other_curve = to_bytes(public_key("ec:P-384").ec_point());
  EXPECT_EQ(rv(planned(CKD_NULL, {}, other_curve)), CKR_MECHANISM_PARAM_INVALID);
  Bytes none;
  EXPECT_EQ(rv(planned(CKD_NULL, {}, none)), CKR_MECHANISM_PARAM_INVALID);

  CK_ECDH1_DERIVE_PARAMS parameter{CKD_SHA1_KDF, 3, nullptr, to_ulong(point.size()), point.data()};
  EXPECT_EQ(rv(plan_derive(with(CKM_ECDH1_DERIVE, parameter), own)), CKR_MECHANISM_PARAM_INVALID);
  parameter = {CKD_NULL, 0, nullptr, to_ulong(point.size()), nullptr};
  EXPECT_EQ(rv(plan_derive(with(CKM_ECDH1_DERIVE, parameter), own)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_derive(plain(CKM_ECDH1_DERIVE), own)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv(plan_derive(plain(CKM_ECDSA), own)), CKR_MECHANISM_INVALID);
  EXPECT_EQ(rv(plan_derive(plain(CKM_ECDH1_DERIVE), public_key("rsa:2048"))), CKR_KEY_TYPE_INCONSISTENT);
}

}  // namespace
}  // namespace devtrust::pkcs11
