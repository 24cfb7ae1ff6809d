// PKCS#11 3.0 §5.12 "Message digesting functions" and §5.19 "Random number generation functions".
#include "tests/conformance/fixture.h"
#include "tests/conformance/peer.h"

namespace devtrust::testing {
namespace {

struct Known {
  CK_MECHANISM_TYPE type;
  const EVP_MD* (*md)();
};
const std::array<Known, 5> kDigests = {{{CKM_SHA_1, EVP_sha1},
                                        {CKM_SHA224, EVP_sha224},
                                        {CKM_SHA256, EVP_sha256},
                                        {CKM_SHA384, EVP_sha384},
                                        {CKM_SHA512, EVP_sha512}}};

class Digests : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    session_ = open();
  }
  CK_RV init(CK_MECHANISM_TYPE type) const {
    CK_MECHANISM mechanism = plain(type);
    return f_->C_DigestInit(session_, &mechanism);
  }
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

TEST_P(Digests, AreOpenSsls) {
  const Bytes data = some_bytes(777);
  for (const auto& [type, md] : kDigests) {
    SCOPED_TRACE(mechanism_name(type));
    EXPECT_TRUE(mechanism_info(type).flags & CKF_DIGEST);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, data.size()}) {
      ASSERT_THAT(init(type), ok());
      Bytes out(64);
      CK_ULONG length = out.size();
      ASSERT_THAT(f_->C_Digest(session_, mutable_data(data), size, out.data(), &length), ok());
      out.resize(length);
      EXPECT_EQ(out, digest(md(), ByteView(data).first(size)));
    }
    ASSERT_THAT(init(type), ok());
    for (std::size_t at = 0; at < data.size(); at += 111) {
      ASSERT_THAT(f_->C_DigestUpdate(session_, mutable_data(data) + at, 111), ok());
    }
    Bytes out(64);
    CK_ULONG length = out.size();
    ASSERT_THAT(f_->C_DigestFinal(session_, out.data(), &length), ok());
    out.resize(length);
    EXPECT_EQ(out, digest(md(), data));
  }
}

TEST_P(Digests, LengthRules) {
  Bytes data = some_bytes(10);
  for (const auto& [type, md] : kDigests) {
    SCOPED_TRACE(mechanism_name(type));
    const auto size = static_cast<CK_ULONG>(EVP_MD_get_size(md()));
    Bytes out(size);
    CK_ULONG length = 0;
    ASSERT_THAT(init(type), ok());
    ASSERT_THAT(f_->C_Digest(session_, data.data(), data.size(), nullptr, &length), ok());
    EXPECT_EQ(length, size);
    length = size - 1;
    EXPECT_THAT(f_->C_Digest(session_, data.data(), data.size(), out.data(), &length), RvIs(CKR_BUFFER_TOO_SMALL));
    EXPECT_EQ(length, size);
    EXPECT_THAT(f_->C_Digest(session_, data.data(), data.size(), out.data(), &length), ok());
    EXPECT_EQ(out, digest(md(), data)) << "nothing was digested twice";
    EXPECT_THAT(f_->C_Digest(session_, data.data(), data.size(), out.data(), &length),
                RvIs(CKR_OPERATION_NOT_INITIALIZED));
    ASSERT_THAT(init(type), ok());
    ASSERT_THAT(f_->C_DigestUpdate(session_, data.data(), data.size()), ok());
    length = 0;
    ASSERT_THAT(f_->C_DigestFinal(session_, nullptr, &length), ok());
    EXPECT_EQ(length, size);
    length = 0;
    EXPECT_THAT(f_->C_DigestFinal(session_, out.data(), &length), RvIs(CKR_BUFFER_TOO_SMALL));
    EXPECT_THAT(f_->C_DigestFinal(session_, out.data(), &length), ok());
    EXPECT_EQ(out, digest(md(), data));
  }
}

TEST_P(Digests, StateMachine) {
  Bytes data = some_bytes(10);
  Bytes out(64);
  CK_ULONG length = out.size();
  EXPECT_THAT(f_->C_Digest(session_, data.data(), data.size(), out.data(), &length),
              RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_DigestUpdate(session_, data.data(), data.size()), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_DigestFinal(session_, out.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(init(CKM_SHA256), ok());
  EXPECT_THAT(init(CKM_SHA256), RvIs(CKR_OPERATION_ACTIVE));
  ASSERT_THAT(f_->C_DigestUpdate(session_, data.data(), data.size()), ok());
  if (holds(Rule::kWholeAfterParts)) {
    EXPECT_THAT(f_->C_Digest(session_, data.data(), data.size(), out.data(), &length),
                (RvIs{CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED}));
  }
  session_ = open();
  EXPECT_THAT(init(CKM_VENDOR_DEFINED | 0x4711), RvIs(CKR_MECHANISM_INVALID));
  EXPECT_THAT(f_->C_DigestInit(session_, nullptr), RvIs(CKR_ARGUMENTS_BAD));
  CK_MECHANISM mechanism = plain(CKM_SHA256);
  EXPECT_THAT(f_->C_DigestInit(session_ + 4711, &mechanism), RvIs(CKR_SESSION_HANDLE_INVALID));
  if (!store().ours()) return;
  EXPECT_THAT(init(signing_mechanism().mechanism), RvIs(CKR_MECHANISM_INVALID));
  ASSERT_THAT(init(CKM_SHA256), ok());
  EXPECT_THAT(f_->C_DigestInit(session_, nullptr), ok()) << "a NULL mechanism cancels";
  EXPECT_THAT(f_->C_DigestUpdate(session_, data.data(), 1), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(init(CKM_SHA256), ok());
  EXPECT_THAT(f3_->C_SessionCancel(session_, CKF_DIGEST), ok());
  EXPECT_THAT(f_->C_DigestUpdate(session_, data.data(), 1), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  mechanism.pParameter = data.data();
  mechanism.ulParameterLen = 3;
  EXPECT_THAT(f_->C_DigestInit(session_, &mechanism), RvIs(CKR_MECHANISM_PARAM_INVALID));
}

TEST_P(Digests, OfWhatIsNoSecretKey) {
  if (!store().ours()) return;
  session_ = open_logged_in();
  for (const CK_OBJECT_HANDLE object : {private_key(session_), public_key(session_), leaf(session_)}) {
    ASSERT_THAT(init(CKM_SHA256), ok());
    EXPECT_THAT(f_->C_DigestKey(session_, object), (RvIs{CKR_KEY_INDIGESTIBLE, CKR_KEY_HANDLE_INVALID}));
    f3_->C_SessionCancel(session_, CKF_DIGEST);
  }
  ASSERT_THAT(init(CKM_SHA256), ok());
  EXPECT_THAT(f_->C_DigestKey(session_, CK_INVALID_HANDLE), RvIs(CKR_KEY_HANDLE_INVALID));
  f3_->C_SessionCancel(session_, CKF_DIGEST);
  EXPECT_THAT(f_->C_DigestKey(session_, leaf(session_)), RvIs(CKR_OPERATION_NOT_INITIALIZED));
}

TEST_P(Digests, BesideASignature) {
  if (!holds(Rule::kOperationsSideBySide)) return;
  session_ = open_logged_in();
  const Bytes data = some_bytes(100);
  CK_MECHANISM mechanism = signing_mechanism();
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_key(session_)), ok());
  ASSERT_THAT(init(CKM_SHA256), ok());
  Bytes out(32);
  CK_ULONG length = out.size();
  EXPECT_THAT(f_->C_Digest(session_, mutable_data(data), data.size(), out.data(), &length), ok());
  EXPECT_EQ(out, digest(EVP_sha256(), data));
  Bytes signature(1024);
  length = signature.size();
  EXPECT_THAT(f_->C_Sign(session_, out.data(), out.size(), signature.data(), &length), ok());
}

TEST_P(Digests, Random) {
  Bytes first(64, 0);
  Bytes second(64, 0);
  ASSERT_THAT(f_->C_GenerateRandom(session_, first.data(), first.size()), ok());
  ASSERT_THAT(f_->C_GenerateRandom(session_, second.data(), second.size()), ok());
  EXPECT_NE(first, Bytes(64, 0));
  EXPECT_NE(first, second);
  EXPECT_THAT(f_->C_GenerateRandom(session_, nullptr, 4), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GenerateRandom(session_ + 4711, first.data(), 4), RvIs(CKR_SESSION_HANDLE_INVALID));
  // NSS seeds every token that it generates from.
  EXPECT_THAT(f_->C_SeedRandom(session_, first.data(), first.size()), (RvIs{CKR_OK, CKR_RANDOM_SEED_NOT_SUPPORTED}));
  EXPECT_THAT(f_->C_SeedRandom(session_, nullptr, 4), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_SeedRandom(session_ + 4711, first.data(), 4), RvIs(CKR_SESSION_HANDLE_INVALID));
}

INSTANTIATE_TEST_SUITE_P(Stores, Digests, ::testing::ValuesIn(strict_stores()), store_name);

/// What the token does not do at all.
class Unsupported : public Conformance {};

TEST_P(Unsupported, SaysSo) {
  const CK_SESSION_HANDLE session = open_logged_in(CKF_RW_SESSION);
  const CK_OBJECT_HANDLE key = private_key(session);
  Bytes data(64);
  CK_ULONG length = data.size();
  CK_MECHANISM mechanism = plain(CKM_SHA256);
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  CK_ATTRIBUTE nothing{};
  const auto unsupported = RvIs(CKR_FUNCTION_NOT_SUPPORTED);
  CK_BYTE* d = data.data();
  for (const CK_SESSION_HANDLE handle : {session, session + 4711}) {
    const auto expected = handle == session ? unsupported : RvIs(CKR_SESSION_HANDLE_INVALID);
    const auto parallel = handle == session ? RvIs(CKR_FUNCTION_NOT_PARALLEL) : RvIs(CKR_SESSION_HANDLE_INVALID);
    EXPECT_THAT(f_->C_DigestEncryptUpdate(handle, d, 4, d, &length), expected);
    EXPECT_THAT(f_->C_DecryptDigestUpdate(handle, d, 4, d, &length), expected);
    EXPECT_THAT(f_->C_SignEncryptUpdate(handle, d, 4, d, &length), expected);
    EXPECT_THAT(f_->C_DecryptVerifyUpdate(handle, d, 4, d, &length), expected);
    EXPECT_THAT(f_->C_GenerateKey(handle, &mechanism, &nothing, 0, &made), expected);
    EXPECT_THAT(f_->C_GenerateKeyPair(handle, &mechanism, &nothing, 0, &nothing, 0, &made, &made), expected);
    EXPECT_THAT(f_->C_WrapKey(handle, &mechanism, key, key, d, &length), expected);
    EXPECT_THAT(f_->C_UnwrapKey(handle, &mechanism, key, d, 4, &nothing, 0, &made), expected);
    EXPECT_THAT(f3_->C_MessageEncryptInit(handle, &mechanism, key), expected);
    EXPECT_THAT(f3_->C_EncryptMessage(handle, d, 4, d, 4, d, 4, d, &length), expected);
    EXPECT_THAT(f3_->C_EncryptMessageBegin(handle, d, 4, d, 4), expected);
    EXPECT_THAT(f3_->C_EncryptMessageNext(handle, d, 4, d, 4, d, &length, 0), expected);
    EXPECT_THAT(f3_->C_MessageEncryptFinal(handle), expected);
    EXPECT_THAT(f3_->C_MessageDecryptInit(handle, &mechanism, key), expected);
    EXPECT_THAT(f3_->C_DecryptMessage(handle, d, 4, d, 4, d, 4, d, &length), expected);
    EXPECT_THAT(f3_->C_DecryptMessageBegin(handle, d, 4, d, 4), expected);
    EXPECT_THAT(f3_->C_DecryptMessageNext(handle, d, 4, d, 4, d, &length, 0), expected);
    EXPECT_THAT(f3_->C_MessageDecryptFinal(handle), expected);
    EXPECT_THAT(f3_->C_MessageSignInit(handle, &mechanism, key), expected);
    EXPECT_THAT(f3_->C_SignMessage(handle, d, 4, d, 4, d, &length), expected);
    EXPECT_THAT(f3_->C_SignMessageBegin(handle, d, 4), expected);
    EXPECT_THAT(f3_->C_SignMessageNext(handle, d, 4, d, 4, d, &length), expected);
    EXPECT_THAT(f3_->C_MessageSignFinal(handle), expected);
    EXPECT_THAT(f3_->C_MessageVerifyInit(handle, &mechanism, key), expected);
    EXPECT_THAT(f3_->C_VerifyMessage(handle, d, 4, d, 4, d, 4), expected);
    EXPECT_THAT(f3_->C_VerifyMessageBegin(handle, d, 4), expected);
    EXPECT_THAT(f3_->C_VerifyMessageNext(handle, d, 4, d, 4, d, 4), expected);
    EXPECT_THAT(f3_->C_MessageVerifyFinal(handle), expected);
    EXPECT_THAT(f_->C_GetFunctionStatus(handle), parallel);
    EXPECT_THAT(f_->C_CancelFunction(handle), parallel);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, Unsupported,
                         ::testing::ValuesIn(stores_that([](const Store& store) { return store.ours(); })), store_name);

class ParallelFunctions : public Conformance {};

TEST_P(ParallelFunctions, AreOfThePast) {
  const CK_SESSION_HANDLE session = open();
  EXPECT_THAT(f_->C_GetFunctionStatus(session), RvIs(CKR_FUNCTION_NOT_PARALLEL));
  EXPECT_THAT(f_->C_CancelFunction(session), RvIs(CKR_FUNCTION_NOT_PARALLEL));
}

INSTANTIATE_TEST_SUITE_P(Stores, ParallelFunctions, ::testing::ValuesIn(strict_stores()), store_name);

}  // namespace
}  // namespace devtrust::testing
