// PKCS#11 3.0 §5.13 "Signing and MACing functions" and §5.15 "Functions for verifying signatures and MACs".
#include <algorithm>

#include "tests/conformance/fixture.h"
#include "tests/conformance/peer.h"

namespace devtrust::testing {
namespace {

const Bytes kMessage = some_bytes(1000);

class Signing : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    peer_ = std::make_unique<Peer>(built_->leaf);
    session_ = open_logged_in();
    private_ = private_key(session_);
    if (holds(Rule::kPublicKeyObject)) public_ = public_key(session_);
  }

  /// Those of the mechanism list that fit the key.
  std::vector<SignCase> cases() const {
    std::vector<SignCase> all = peer_->sign_cases(kMessage);
    const auto list = mechanisms();
    std::erase_if(all, [&list](const SignCase& one) { return std::ranges::find(list, one.type) == list.end(); });
    return all;
  }
  CK_RV sign_init(CK_MECHANISM mechanism) const { return f_->C_SignInit(session_, &mechanism, private_); }
  CK_RV verify_init(CK_MECHANISM mechanism) const { return f_->C_VerifyInit(session_, &mechanism, public_); }
  /// In one piece. Empty where it failed.
  Bytes sign(const SignCase& how, ByteView input) const {
    EXPECT_THAT(sign_init(how.mechanism()), ok());
    Bytes signature(peer_->size());
    CK_ULONG length = signature.size();
    EXPECT_THAT(f_->C_Sign(session_, mutable_data(input), input.size(), signature.data(), &length), ok());
    signature.resize(length);
    return signature;
  }
  CK_RV verify(const SignCase& how, ByteView input, ByteView signature) const {
    EXPECT_THAT(verify_init(how.mechanism()), ok());
    return f_->C_Verify(session_, mutable_data(input), input.size(), mutable_data(signature), signature.size());
  }
  /// What is listed need not be done with every parameter and of every digest.
  bool signs_and_verifies(const SignCase& how) const {
    const bool sha224 = how.name.starts_with("SHA224");
    if (how.padding == SignCase::Padding::kPss && store().place == KeptBy::kKeychain) {
      return how.name.find("MGF1") == std::string::npos && !how.name.ends_with("salt 0") &&
             !how.name.ends_with("salt 11");
    }
    if (how.padding == SignCase::Padding::kPss && !holds(Rule::kEveryPss)) {
      return how.name.find("MGF1") == std::string::npos && !(store().place == KeptBy::kCng && sha224);
    }
    return holds(Rule::kAnyData) || how.type != CKM_RSA_PKCS || !sha224;
  }
  bool takes_parts(const SignCase& how) const { return store().ours() || how.hash != nullptr; }
  /// One that hashes the message itself, or (SoftHSM's EC) the nearest to it.
  SignCase whole_message() const {
    for (const SignCase& how : cases()) {
      if (how.type == signing_mechanism().mechanism) return how;
    }
    throw std::runtime_error("the token lists no mechanism that signs messages");
  }

  std::unique_ptr<Peer> peer_;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE private_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE public_ = CK_INVALID_HANDLE;
};

/// Both directions against OpenSSL.
class RoundTrip : public Signing {};

TEST_P(RoundTrip, EveryListedMechanismIsTried) {
  const auto tried = cases();
  for (const CK_MECHANISM_TYPE type : mechanisms()) {
    const bool signs = (mechanism_info(type).flags & CKF_SIGN) != 0;
    const bool known = std::ranges::find(tried, type, &SignCase::type) != tried.end();
    // other people's tokens, and one that has keys of two kinds, list what is not for this key
    if (store().ours() && store().name != "nss_mixed") {
      EXPECT_EQ(signs, known) << mechanism_name(type);
    }
  }
  EXPECT_THAT(tried, ::testing::Not(::testing::IsEmpty()));
}

TEST_P(RoundTrip, WhatTheKeysPlaceCannotDoIsRefused) {
  if (!store().ours()) return;
  for (const SignCase& how : peer_->sign_cases(kMessage)) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    if (!listed(how.type)) {
      EXPECT_NE(store().place, KeptBy::kSoftware);
      EXPECT_THAT(sign_init(how.mechanism()), RvIs(CKR_MECHANISM_INVALID));
      EXPECT_THAT(verify_init(how.mechanism()), RvIs(CKR_MECHANISM_INVALID));
      EXPECT_THAT(sign_init(plain(how.type)), RvIs(CKR_MECHANISM_INVALID)) << "whatever the parameter is";
    } else if (how.has_pss && !signs_and_verifies(how)) {
      EXPECT_THAT(sign_init(how.mechanism()), RvIs(CKR_MECHANISM_PARAM_INVALID));
    } else if (!signs_and_verifies(how)) {
      ASSERT_THAT(sign_init(how.mechanism()), ok());
      Bytes signature(peer_->size());
      CK_ULONG length = signature.size();
      EXPECT_THAT(f_->C_Sign(session_, mutable_data(how.input), how.input.size(), signature.data(), &length),
                  RvIs(CKR_DATA_INVALID));
    }
  }
}

TEST_P(RoundTrip, OpenSslAcceptsTheSignatures) {
  for (const SignCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    if (!signs_and_verifies(how)) continue;
    const Bytes signature = sign(how, how.input);
    EXPECT_EQ(signature.size(), peer_->size());
    EXPECT_TRUE(peer_->verify(how, how.input, signature));
  }
}

TEST_P(RoundTrip, TheTokenAcceptsOpenSslsSignatures) {
  if (!holds(Rule::kPublicKeyObject)) return;
  for (const SignCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    if (!signs_and_verifies(how)) continue;
    const Bytes signature = peer_->sign(how, how.input);
    EXPECT_THAT(verify(how, how.input, signature), ok());
  }
}

TEST_P(RoundTrip, TheTokenRefusesWrongSignatures) {
  if (!holds(Rule::kPublicKeyObject)) return;
  for (const SignCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    if (!signs_and_verifies(how)) continue;
    const Bytes signature = peer_->sign(how, how.input);
    Bytes other = how.input;
    // ECDSA looks at the leftmost bits only, and a raw block may not grow past the modulus
    other[how.padding == SignCase::Padding::kRaw ? 1 : 0] ^= 1U;
    EXPECT_THAT(verify(how, other, signature), RvIs(CKR_SIGNATURE_INVALID));
    for (const std::size_t at : {std::size_t{1}, signature.size() / 2, signature.size() - 1}) {
      Bytes bent = signature;
      bent[at] ^= 0x10U;
      EXPECT_THAT(verify(how, how.input, bent), RvIs(CKR_SIGNATURE_INVALID)) << at;
    }
    EXPECT_THAT(verify(how, how.input, Bytes(signature.size(), 0)), RvIs(CKR_SIGNATURE_INVALID));
    const Bytes shorter(signature.begin(), signature.end() - 1);
    Bytes longer = signature;
    longer.push_back(0);
    EXPECT_THAT(verify(how, how.input, shorter), RvIs(CKR_SIGNATURE_LEN_RANGE));
    EXPECT_THAT(verify(how, how.input, longer), RvIs(CKR_SIGNATURE_LEN_RANGE));
    EXPECT_THAT(verify(how, how.input, ByteView(signature).first(0)), RvIs(CKR_SIGNATURE_LEN_RANGE));
  }
}

TEST_P(RoundTrip, InParts) {
  for (const SignCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    if (how.hash == nullptr || !signs_and_verifies(how)) continue;
    for (const std::vector<std::size_t>& parts :
         {std::vector<std::size_t>{1000}, {1, 999}, {500, 0, 500}, {64, 64, 64, 808}}) {
      ASSERT_THAT(sign_init(how.mechanism()), ok());
      std::size_t at = 0;
      for (const std::size_t part : parts) {
        ASSERT_THAT(f_->C_SignUpdate(session_, mutable_data(how.input) + at, part), ok());
        at += part;
      }
      Bytes signature(peer_->size());
      CK_ULONG length = signature.size();
      ASSERT_THAT(f_->C_SignFinal(session_, signature.data(), &length), ok());
      ASSERT_EQ(length, peer_->size());
      EXPECT_TRUE(peer_->verify(how, how.input, signature));

      if (!holds(Rule::kPublicKeyObject)) continue;
      ASSERT_THAT(verify_init(how.mechanism()), ok());
      at = 0;
      for (const std::size_t part : parts) {
        ASSERT_THAT(f_->C_VerifyUpdate(session_, mutable_data(how.input) + at, part), ok());
        at += part;
      }
      EXPECT_THAT(f_->C_VerifyFinal(session_, signature.data(), signature.size()), ok());
      ASSERT_THAT(verify_init(how.mechanism()), ok());
      ASSERT_THAT(f_->C_VerifyUpdate(session_, mutable_data(how.input), 999), ok());
      EXPECT_THAT(f_->C_VerifyFinal(session_, signature.data(), signature.size()), RvIs(CKR_SIGNATURE_INVALID));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, RoundTrip, ::testing::ValuesIn(all_stores()), store_name);

TEST_P(Signing, WhatIsSignedAsItIsComesInPartsToo) {
  if (!store().ours()) return;
  for (const SignCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    if (how.hash != nullptr || how.input.size() < 2 || !signs_and_verifies(how)) continue;
    ASSERT_THAT(sign_init(how.mechanism()), ok());
    const CK_RV rv = f_->C_SignUpdate(session_, mutable_data(how.input), 1);
    // PKCS#11 calls these mechanisms single-part; a token may take parts all the same
    if (rv == CKR_FUNCTION_NOT_SUPPORTED || rv == CKR_OPERATION_NOT_INITIALIZED) continue;
    ASSERT_THAT(rv, ok());
    ASSERT_THAT(f_->C_SignUpdate(session_, mutable_data(how.input) + 1, how.input.size() - 1), ok());
    Bytes signature(peer_->size());
    CK_ULONG length = signature.size();
    ASSERT_THAT(f_->C_SignFinal(session_, signature.data(), &length), ok());
    EXPECT_TRUE(peer_->verify(how, how.input, signature));
  }
}

TEST_P(Signing, AnEmptyMessage) {
  for (const SignCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    if ((how.hash == nullptr && how.padding != SignCase::Padding::kEddsa) || !signs_and_verifies(how)) continue;
    const Bytes signature = sign(how, ByteView(kMessage).first(0));
    EXPECT_TRUE(peer_->verify(how, {}, signature));
    if (store().ours()) {
      EXPECT_TRUE(peer_->verify(how, {}, sign(how, {}))) << "a NULL pointer without a length";
    }
    if (how.hash == nullptr) continue;
    ASSERT_THAT(sign_init(how.mechanism()), ok());
    Bytes in_parts(peer_->size());
    CK_ULONG length = in_parts.size();
    ASSERT_THAT(f_->C_SignFinal(session_, in_parts.data(), &length), ok()) << "a message of no parts";
    EXPECT_TRUE(peer_->verify(how, {}, in_parts));
  }
}

// PKCS#11 3.0 §5.2 "Conventions for functions returning output in a variable-length buffer".
TEST_P(Signing, LengthRules) {
  for (const SignCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    if (!signs_and_verifies(how)) continue;
    ASSERT_THAT(sign_init(how.mechanism()), ok());
    CK_ULONG length = 0;
    const auto sign = [&](CK_BYTE* out) {
      return f_->C_Sign(session_, mutable_data(how.input), how.input.size(), out, &length);
    };
    ASSERT_THAT(sign(nullptr), ok());
    EXPECT_EQ(length, peer_->size());
    Bytes signature(peer_->size() + 8, 0xa5);
    length = peer_->size() - 1;
    EXPECT_THAT(sign(signature.data()), RvIs(CKR_BUFFER_TOO_SMALL));
    EXPECT_EQ(length, peer_->size());
    EXPECT_EQ(signature, Bytes(signature.size(), 0xa5)) << "nothing is written where there is no room";
    length = 0;
    EXPECT_THAT(sign(signature.data()), RvIs(CKR_BUFFER_TOO_SMALL));
    EXPECT_EQ(length, peer_->size());
    length = signature.size();
    EXPECT_THAT(sign(signature.data()), ok()) << "the operation went on";
    EXPECT_EQ(length, peer_->size());
    EXPECT_EQ(signature[length], 0xa5) << "written past the signature";
    signature.resize(length);
    EXPECT_TRUE(peer_->verify(how, how.input, signature));
    EXPECT_THAT(sign(signature.data()), RvIs(CKR_OPERATION_NOT_INITIALIZED)) << "and has ended now";
  }
}

TEST_P(Signing, LengthRulesOfFinal) {
  const SignCase how = whole_message();
  if (!takes_parts(how)) return;
  ASSERT_THAT(sign_init(how.mechanism()), ok());
  ASSERT_THAT(f_->C_SignUpdate(session_, mutable_data(how.input), how.input.size()), ok());
  CK_ULONG length = 0;
  ASSERT_THAT(f_->C_SignFinal(session_, nullptr, &length), ok());
  EXPECT_EQ(length, peer_->size());
  Bytes signature(peer_->size(), 0xa5);
  length = 1;
  EXPECT_THAT(f_->C_SignFinal(session_, signature.data(), &length), RvIs(CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(length, peer_->size());
  EXPECT_THAT(f_->C_SignFinal(session_, signature.data(), &length), ok());
  EXPECT_TRUE(peer_->verify(how, how.input, signature));
  EXPECT_THAT(f_->C_SignFinal(session_, signature.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
}

TEST_P(Signing, StateMachine) {
  const SignCase how = whole_message();
  CK_MECHANISM mechanism = how.mechanism();
  Bytes signature(peer_->size());
  CK_ULONG length = signature.size();
  Bytes data = some_bytes(16);
  const auto sign = [&] { return f_->C_Sign(session_, data.data(), data.size(), signature.data(), &length); };
  EXPECT_THAT(sign(), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_SignUpdate(session_, data.data(), data.size()), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_SignFinal(session_, signature.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_), RvIs(CKR_OPERATION_ACTIVE));
  EXPECT_THAT(sign(), ok()) << "a second C_SignInit ends nothing";
  // Once in parts, C_Sign is out of place. It ends the operation.
  if (takes_parts(how) && holds(Rule::kWholeAfterParts)) {
    ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
    ASSERT_THAT(f_->C_SignUpdate(session_, data.data(), data.size()), ok());
    length = signature.size();
    EXPECT_THAT(sign(), (RvIs{CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED, CKR_FUNCTION_FAILED}));
  }
  EXPECT_THAT(f_->C_CloseSession(session_), ok());
  session_ = open_logged_in();
  private_ = private_key(session_);
  const CK_SESSION_HANDLE other = open();
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  EXPECT_THAT(f_->C_SignFinal(other, signature.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(f_->C_SignInit(other, &mechanism, private_), ok()) << "each session has its own";
}

TEST_P(Signing, VerifyStateMachine) {
  if (!holds(Rule::kPublicKeyObject)) return;
  const SignCase how = whole_message();
  CK_MECHANISM mechanism = how.mechanism();
  Bytes data = some_bytes(16);
  Bytes signature = peer_->sign(how, data);
  const auto verify = [&] {
    return f_->C_Verify(session_, data.data(), data.size(), signature.data(), signature.size());
  };
  EXPECT_THAT(verify(), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_VerifyUpdate(session_, data.data(), data.size()), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_VerifyFinal(session_, signature.data(), signature.size()), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(f_->C_VerifyInit(session_, &mechanism, public_), ok());
  EXPECT_THAT(f_->C_VerifyInit(session_, &mechanism, public_), RvIs(CKR_OPERATION_ACTIVE));
  EXPECT_THAT(verify(), ok());
  EXPECT_THAT(verify(), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  signature.front() ^= 0x40U;
  ASSERT_THAT(f_->C_VerifyInit(session_, &mechanism, public_), ok());
  EXPECT_THAT(verify(), RvIs(CKR_SIGNATURE_INVALID));
  EXPECT_THAT(verify(), RvIs(CKR_OPERATION_NOT_INITIALIZED)) << "a wrong signature ends the operation";
}

TEST_P(Signing, CancelledByANullMechanism) {
  if (!holds(Rule::kCancel)) return;
  CK_MECHANISM mechanism = signing_mechanism();
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  ASSERT_THAT(f_->C_VerifyInit(session_, &mechanism, public_), ok());
  EXPECT_THAT(f_->C_SignInit(session_, nullptr, CK_INVALID_HANDLE), ok());
  EXPECT_THAT(f_->C_SignUpdate(session_, nullptr, 0), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_VerifyUpdate(session_, nullptr, 0), ok()) << "the other goes on";
  EXPECT_THAT(f_->C_VerifyInit(session_, nullptr, CK_INVALID_HANDLE), ok());
  EXPECT_THAT(f_->C_VerifyUpdate(session_, nullptr, 0), RvIs(CKR_OPERATION_NOT_INITIALIZED));
}

TEST_P(Signing, CancelledBySessionCancel) {
  if (!holds(Rule::kCancel)) return;
  CK_MECHANISM mechanism = signing_mechanism();
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  ASSERT_THAT(f_->C_VerifyInit(session_, &mechanism, public_), ok());
  EXPECT_THAT(f3_->C_SessionCancel(session_, CKF_SIGN | CKF_DECRYPT | CKF_FIND_OBJECTS), ok());
  EXPECT_THAT(f_->C_SignUpdate(session_, nullptr, 0), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_VerifyUpdate(session_, nullptr, 0), ok());
  EXPECT_THAT(f3_->C_SessionCancel(session_, CKF_VERIFY), ok());
  EXPECT_THAT(f_->C_VerifyUpdate(session_, nullptr, 0), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f3_->C_SessionCancel(session_, 0), ok()) << "nothing to cancel is no error";
  EXPECT_THAT(f3_->C_SessionCancel(session_ + 4711, CKF_SIGN), RvIs(CKR_SESSION_HANDLE_INVALID));
}

TEST_P(Signing, WrongKeys) {
  CK_MECHANISM mechanism = signing_mechanism();
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, CK_INVALID_HANDLE),
              (RvIs{CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID}));
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_ + 4711),
              (RvIs{CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID}));
  if (store().ours()) {
    EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_ + 4711), RvIs(CKR_KEY_HANDLE_INVALID));
    EXPECT_THAT(f_->C_SignInit(session_, &mechanism, leaf(session_)), RvIs(CKR_KEY_HANDLE_INVALID));
  }
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, public_),
              (RvIs{CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED}));
  EXPECT_THAT(f_->C_VerifyInit(session_, &mechanism, private_),
              (RvIs{CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED}));
  EXPECT_THAT(f_->C_SignInit(session_ + 4711, &mechanism, private_), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_SignInit(session_, nullptr, private_), RvIs(CKR_ARGUMENTS_BAD)) << "nothing to cancel";
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok()) << "a refused C_SignInit leaves nothing behind";
}

TEST_P(Signing, UnlistedMechanisms) {
  const auto list = mechanisms();
  for (const CK_MECHANISM_TYPE type : named_mechanisms()) {
    if (std::ranges::find(list, type) != list.end()) continue;
    CK_MECHANISM mechanism = plain(type);
    EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_),
                (RvIs{CKR_MECHANISM_INVALID, CKR_KEY_TYPE_INCONSISTENT}))
        << mechanism_name(type);
  }
  CK_MECHANISM unknown = plain(CKM_VENDOR_DEFINED | 0x4711);
  EXPECT_THAT(f_->C_SignInit(session_, &unknown, private_), RvIs(CKR_MECHANISM_INVALID));
  CK_MECHANISM digests = plain(CKM_SHA256);
  EXPECT_THAT(f_->C_SignInit(session_, &digests, private_), RvIs(CKR_MECHANISM_INVALID));
}

TEST_P(Signing, Parameters) {
  if (!holds(Rule::kStrictParameters)) return;
  CK_MECHANISM mechanism = signing_mechanism();
  Bytes junk = some_bytes(5);
  mechanism.pParameter = junk.data();
  mechanism.ulParameterLen = junk.size();
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_), RvIs(CKR_MECHANISM_PARAM_INVALID));
  mechanism.pParameter = nullptr;
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_), RvIs(CKR_MECHANISM_PARAM_INVALID));
}

TEST_P(Signing, NoData) {
  if (!holds(Rule::kStrictArguments)) return;
  CK_MECHANISM mechanism = signing_mechanism();
  Bytes signature(peer_->size());
  CK_ULONG length = signature.size();
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  EXPECT_THAT(f_->C_Sign(session_, nullptr, 4, signature.data(), &length), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_SignUpdate(session_, nullptr, 0), RvIs(CKR_OPERATION_NOT_INITIALIZED))
      << "an error ends the operation";
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  EXPECT_THAT(f_->C_Sign(session_, signature.data(), 4, signature.data(), nullptr), RvIs(CKR_ARGUMENTS_BAD));
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  EXPECT_THAT(f_->C_SignUpdate(session_, nullptr, 4), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_SignUpdate(session_, nullptr, 0), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  EXPECT_THAT(f_->C_SignFinal(session_, signature.data(), nullptr), RvIs(CKR_ARGUMENTS_BAD));
  ASSERT_THAT(f_->C_VerifyInit(session_, &mechanism, public_), ok());
  EXPECT_THAT(f_->C_Verify(session_, signature.data(), 4, nullptr, signature.size()), RvIs(CKR_ARGUMENTS_BAD));
}

INSTANTIATE_TEST_SUITE_P(Stores, Signing, ::testing::ValuesIn(strict_stores()), store_name);

class RsaSigning : public Signing {};

TEST_P(RsaSigning, DataThatIsTooLong) {
  CK_MECHANISM pkcs = plain(CKM_RSA_PKCS);
  Bytes data(peer_->size() - 10, 1);
  Bytes signature(peer_->size());
  CK_ULONG length = signature.size();
  ASSERT_THAT(f_->C_SignInit(session_, &pkcs, private_), ok());
  EXPECT_THAT(f_->C_Sign(session_, data.data(), data.size(), signature.data(), &length), too_long());
  EXPECT_THAT(f_->C_Sign(session_, data.data(), data.size(), signature.data(), &length),
              RvIs(CKR_OPERATION_NOT_INITIALIZED));
  data.pop_back();  // the longest that fits
  if (!holds(Rule::kAnyData)) return;
  const SignCase longest{"the longest", CKM_RSA_PKCS, SignCase::Padding::kPkcs1, nullptr, {}, false, data};
  EXPECT_TRUE(peer_->verify(longest, data, sign(longest, data)));
  if (!store().ours() || !holds(Rule::kRawRsa)) return;  // SoftHSM 2.6 ends the process where a raw block is too long
  CK_MECHANISM raw = plain(CKM_RSA_X_509);
  data.assign(peer_->size() + 1, 0);
  length = signature.size();
  ASSERT_THAT(f_->C_SignInit(session_, &raw, private_), ok());
  EXPECT_THAT(f_->C_Sign(session_, data.data(), data.size(), signature.data(), &length), RvIs(CKR_DATA_LEN_RANGE));
  data.assign(peer_->size(), 0xff);  // a number that is not below the modulus
  length = signature.size();
  ASSERT_THAT(f_->C_SignInit(session_, &raw, private_), ok());
  EXPECT_THAT(f_->C_Sign(session_, data.data(), data.size(), signature.data(), &length),
              (RvIs{CKR_DATA_LEN_RANGE, CKR_DATA_INVALID}));
}

TEST_P(RsaSigning, AShortBlockIsPaddedWithZeros) {
  if (!holds(Rule::kRawRsa)) return;
  const SignCase raw{"short", CKM_RSA_X_509, SignCase::Padding::kRaw, nullptr, {}, false, some_bytes(20)};
  const Bytes signature = sign(raw, raw.input);
  EXPECT_TRUE(peer_->verify(raw, raw.input, signature));
  EXPECT_THAT(verify(raw, raw.input, signature), ok());
}

TEST_P(RsaSigning, PssParameters) {
  if (store().place == KeptBy::kCsp) return;  // WhatTheKeysPlaceCannotDoIsRefused is for it
  const auto init = [this](CK_MECHANISM_TYPE type, CK_RSA_PKCS_PSS_PARAMS parameters,
                           CK_ULONG size = sizeof(CK_RSA_PKCS_PSS_PARAMS)) {
    CK_MECHANISM mechanism{type, &parameters, size};
    const CK_RV rv = f_->C_SignInit(session_, &mechanism, private_);
    if (rv == CKR_OK) {  // a token may find fault later
      Bytes data(32, 1);
      Bytes signature(peer_->size());
      CK_ULONG length = signature.size();
      return f_->C_Sign(session_, data.data(), data.size(), signature.data(), &length);
    }
    return rv;
  };
  EXPECT_THAT(init(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 32}), ok());
  EXPECT_THAT(init(CKM_SHA256_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 32}), ok());
  const ::testing::Matcher<CK_RV> refused =
      store().ours() ? RvIs(CKR_MECHANISM_PARAM_INVALID)
                     : RvIs{CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD, CKR_MECHANISM_INVALID};
  CK_MECHANISM none = plain(CKM_SHA256_RSA_PKCS_PSS);
  EXPECT_THAT(f_->C_SignInit(session_, &none, private_), refused);
  EXPECT_THAT(init(CKM_SHA256_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 32}, 3), refused);
  EXPECT_THAT(init(CKM_SHA256_RSA_PKCS_PSS, {CKM_SHA384, CKG_MGF1_SHA384, 32}), refused)
      << "the mechanism names another hash";
  if (!store().ours()) return;
  EXPECT_THAT(init(CKM_RSA_PKCS_PSS, {CKM_MD5, CKG_MGF1_SHA256, 32}), refused);
  EXPECT_THAT(init(CKM_RSA_PKCS_PSS, {CKM_SHA256, 4711, 32}), refused);
  EXPECT_THAT(init(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 100000}), refused) << "no room for such a salt";
  EXPECT_THAT(init(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, ~CK_ULONG{0}}), refused);
  EXPECT_THAT(init(CKM_RSA_PKCS_PSS, {CKM_SHA384, CKG_MGF1_SHA384, 48}), RvIs(CKR_DATA_LEN_RANGE))
      << "32 bytes are no SHA-384";
}

TEST_P(RsaSigning, Recover) {
  CK_MECHANISM pkcs = plain(CKM_RSA_PKCS);
  if (store().ours() && !holds(Rule::kRecover)) {
    EXPECT_THAT(f_->C_SignRecoverInit(session_, &pkcs, private_), RvIs(CKR_KEY_FUNCTION_NOT_PERMITTED));
    EXPECT_THAT(f_->C_VerifyRecoverInit(session_, &pkcs, public_), RvIs(CKR_KEY_FUNCTION_NOT_PERMITTED));
  }
  if (!holds(Rule::kRecover)) return;
  Bytes data = some_bytes(51);
  Bytes signature(peer_->size());
  CK_ULONG length = 0;
  EXPECT_THAT(f_->C_SignRecover(session_, data.data(), data.size(), signature.data(), &length),
              RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(f_->C_SignRecoverInit(session_, &pkcs, private_), ok());
  EXPECT_THAT(f_->C_SignRecoverInit(session_, &pkcs, private_), RvIs(CKR_OPERATION_ACTIVE));
  EXPECT_THAT(f_->C_SignUpdate(session_, data.data(), data.size()), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(f_->C_SignRecover(session_, data.data(), data.size(), nullptr, &length), ok());
  EXPECT_EQ(length, peer_->size());
  length = 1;
  EXPECT_THAT(f_->C_SignRecover(session_, data.data(), data.size(), signature.data(), &length),
              RvIs(CKR_BUFFER_TOO_SMALL));
  ASSERT_THAT(f_->C_SignRecover(session_, data.data(), data.size(), signature.data(), &length), ok());
  const SignCase how{"recover", CKM_RSA_PKCS, SignCase::Padding::kPkcs1, nullptr, {}, false, data};
  EXPECT_TRUE(peer_->verify(how, data, signature));

  Bytes recovered(peer_->size());
  ASSERT_THAT(f_->C_VerifyRecoverInit(session_, &pkcs, public_), ok());
  length = 4;
  EXPECT_THAT(f_->C_VerifyRecover(session_, signature.data(), signature.size(), recovered.data(), &length),
              RvIs(CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(length, data.size());
  ASSERT_THAT(f_->C_VerifyRecover(session_, signature.data(), signature.size(), recovered.data(), &length), ok());
  recovered.resize(length);
  EXPECT_EQ(recovered, data);
  EXPECT_THAT(f_->C_VerifyRecover(session_, signature.data(), signature.size(), recovered.data(), &length),
              RvIs(CKR_OPERATION_NOT_INITIALIZED));
  signature[5] ^= 1U;
  ASSERT_THAT(f_->C_VerifyRecoverInit(session_, &pkcs, public_), ok());
  recovered.resize(peer_->size());
  length = recovered.size();
  EXPECT_THAT(f_->C_VerifyRecover(session_, signature.data(), signature.size(), recovered.data(), &length),
              RvIs(CKR_SIGNATURE_INVALID));
  CK_MECHANISM hashing = plain(CKM_SHA256_RSA_PKCS);
  EXPECT_THAT(f_->C_SignRecoverInit(session_, &hashing, private_), RvIs(CKR_MECHANISM_INVALID));
}

INSTANTIATE_TEST_SUITE_P(Stores, RsaSigning, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.rsa() && store.strict();
                         })),
                         store_name);

class NoRecovery : public Signing {};

TEST_P(NoRecovery, IsNotForThisKindOfKey) {
  CK_MECHANISM mechanism = signing_mechanism();
  EXPECT_THAT(f_->C_SignRecoverInit(session_, &mechanism, private_),
              (RvIs{CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID, CKR_FUNCTION_NOT_SUPPORTED}));
  EXPECT_THAT(f_->C_VerifyRecoverInit(session_, &mechanism, public_),
              (RvIs{CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID, CKR_FUNCTION_NOT_SUPPORTED}));
}

INSTANTIATE_TEST_SUITE_P(Stores, NoRecovery, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.ours() && !store.rsa();
                         })),
                         store_name);

class EddsaSigning : public Signing {};

TEST_P(EddsaSigning, Parameters) {
  pkcs11::EddsaParams parameters{CK_FALSE, 0, nullptr};
  CK_MECHANISM mechanism{CKM_EDDSA, &parameters, sizeof parameters};
  const Bytes data = some_bytes(33);
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, private_), ok());
  Bytes signature(peer_->size());
  CK_ULONG length = signature.size();
  ASSERT_THAT(f_->C_Sign(session_, mutable_data(data), data.size(), signature.data(), &length), ok());
  EXPECT_TRUE(peer_->verify(peer_->sign_cases(data).front(), data, signature));
  // what the key cannot do is refused, not done otherwise
  parameters.phFlag = CK_TRUE;
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_), RvIs(CKR_MECHANISM_PARAM_INVALID));
  CK_BYTE context = 1;
  parameters = {CK_FALSE, 1, &context};
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_), RvIs(CKR_MECHANISM_PARAM_INVALID));
  mechanism.ulParameterLen = 3;
  EXPECT_THAT(f_->C_SignInit(session_, &mechanism, private_), RvIs(CKR_MECHANISM_PARAM_INVALID));
}

INSTANTIATE_TEST_SUITE_P(Stores, EddsaSigning,
                         ::testing::ValuesIn(stores_that([](const Store& store) { return store.edwards(); })),
                         store_name);

}  // namespace
}  // namespace devtrust::testing
