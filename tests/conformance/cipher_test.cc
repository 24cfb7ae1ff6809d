// PKCS#11 3.0 §5.8 "Encryption functions" and §5.10 "Decryption functions".
#include <algorithm>

#include "tests/conformance/fixture.h"
#include "tests/conformance/peer.h"

namespace devtrust::testing {
namespace {

class Ciphers : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    peer_ = std::make_unique<Peer>(built_->leaf);
    session_ = open_logged_in();
    private_ = private_key(session_);
    if (holds(Rule::kPublicKeyObject)) public_ = public_key(session_);
  }

  std::vector<CipherCase> cases() const {
    std::vector<CipherCase> all = peer_->cipher_cases();
    const auto list = mechanisms();
    std::erase_if(
        all, [&](const CipherCase& one) { return std::ranges::find(list, one.type) == list.end() || !takes(one); });
    return all;
  }
  /// What is listed need not be done with every parameter.
  bool takes(const CipherCase& how) const {
    if (!how.has_oaep || holds(Rule::kEveryOaep)) return true;
    if (store().place == KeptBy::kKeychain) return how.label.empty() && how.name.find("MGF1") == std::string::npos;
    if (store().place != KeptBy::kCng) return how.oaep.hashAlg == CKM_SHA_1 && how.label.empty();
    return how.oaep.hashAlg != CKM_SHA224 && how.name.find("MGF1") == std::string::npos;
  }
  CK_RV decrypt(const CipherCase& how, ByteView ciphertext, Bytes& plaintext) const {
    CK_MECHANISM mechanism = how.mechanism();
    EXPECT_THAT(f_->C_DecryptInit(session_, &mechanism, private_), ok());
    plaintext.resize(peer_->size());
    CK_ULONG length = plaintext.size();
    const CK_RV rv = f_->C_Decrypt(session_, mutable_data(ciphertext), ciphertext.size(), plaintext.data(), &length);
    if (rv == CKR_OK) plaintext.resize(length);
    return rv;
  }
  RvIs refused() const {
    if (!holds(Rule::kErrorCodes)) return RvIs(CKR_GENERAL_ERROR);
    return {CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID};
  }
  Bytes encrypt(const CipherCase& how) const {
    CK_MECHANISM mechanism = how.mechanism();
    EXPECT_THAT(f_->C_EncryptInit(session_, &mechanism, public_), ok());
    Bytes ciphertext(peer_->size());
    CK_ULONG length = ciphertext.size();
    EXPECT_THAT(f_->C_Encrypt(session_, mutable_data(how.plaintext), how.plaintext.size(), ciphertext.data(), &length),
                ok());
    ciphertext.resize(length);
    return ciphertext;
  }

  std::unique_ptr<Peer> peer_;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE private_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE public_ = CK_INVALID_HANDLE;
};

TEST_P(Ciphers, EveryListedMechanismIsTried) {
  if (!store().ours()) return;
  const auto tried = cases();
  for (const CK_MECHANISM_TYPE type : mechanisms()) {
    const CK_FLAGS flags = mechanism_info(type).flags & (CKF_ENCRYPT | CKF_DECRYPT);
    const bool known = std::ranges::find(tried, type, &CipherCase::type) != tried.end();
    EXPECT_EQ(flags, known ? CK_FLAGS{CKF_ENCRYPT | CKF_DECRYPT} : CK_FLAGS{0}) << mechanism_name(type);
  }
}

TEST_P(Ciphers, WhatTheKeysPlaceCannotDoIsRefused) {
  if (!store().ours()) return;
  for (const CipherCase& how : peer_->cipher_cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    CK_MECHANISM mechanism = how.mechanism();
    if (!listed(how.type)) {
      EXPECT_NE(store().place, KeptBy::kSoftware);
      EXPECT_THAT(f_->C_DecryptInit(session_, &mechanism, private_), RvIs(CKR_MECHANISM_INVALID));
      EXPECT_THAT(f_->C_EncryptInit(session_, &mechanism, public_), RvIs(CKR_MECHANISM_INVALID));
    } else if (!takes(how)) {
      EXPECT_THAT(f_->C_DecryptInit(session_, &mechanism, private_), RvIs(CKR_MECHANISM_PARAM_INVALID));
    }
  }
}

TEST_P(Ciphers, TheTokenDecryptsWhatOpenSslEncrypted) {
  for (const CipherCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    Bytes plaintext;
    EXPECT_THAT(decrypt(how, peer_->encrypt(how, how.plaintext), plaintext), ok());
    EXPECT_EQ(plaintext, how.plaintext);
  }
}

TEST_P(Ciphers, OpenSslDecryptsWhatTheTokenEncrypted) {
  if (!holds(Rule::kPublicKeyObject)) return;
  for (const CipherCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    const Bytes ciphertext = encrypt(how);
    EXPECT_EQ(ciphertext.size(), peer_->size());
    EXPECT_EQ(peer_->decrypt(how, ciphertext), how.plaintext);
  }
}

TEST_P(Ciphers, WrongCiphertext) {
  for (const CipherCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    Bytes ciphertext = peer_->encrypt(how, how.plaintext);
    Bytes plaintext;
    ciphertext.pop_back();
    EXPECT_THAT(decrypt(how, ciphertext, plaintext), refused()) << "too short";
    ciphertext.resize(peer_->size() + 1);
    EXPECT_THAT(decrypt(how, ciphertext, plaintext), refused()) << "too long";
    if (!store().ours()) continue;
    EXPECT_THAT(decrypt(how, ciphertext, plaintext), RvIs(CKR_ENCRYPTED_DATA_LEN_RANGE));
    if (!how.has_oaep) continue;  // PKCS#1's may come out as something by chance
    ciphertext = peer_->encrypt(how, how.plaintext);
    ciphertext.back() ^= 1U;
    EXPECT_THAT(decrypt(how, ciphertext, plaintext), RvIs(CKR_ENCRYPTED_DATA_INVALID));
  }
}

TEST_P(Ciphers, LengthRules) {
  for (const CipherCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    CK_MECHANISM mechanism = how.mechanism();
    const Bytes ciphertext = peer_->encrypt(how, how.plaintext);
    ASSERT_THAT(f_->C_DecryptInit(session_, &mechanism, private_), ok());
    CK_ULONG length = 0;
    const auto decrypt = [&](CK_BYTE* out) {
      return f_->C_Decrypt(session_, mutable_data(ciphertext), ciphertext.size(), out, &length);
    };
    ASSERT_THAT(decrypt(nullptr), ok());
    EXPECT_GE(length, how.plaintext.size()) << "more may be asked for than is needed";
    EXPECT_LE(length, peer_->size());
    Bytes plaintext(peer_->size() + 8, 0xa5);
    length = how.plaintext.size() - 1;
    EXPECT_THAT(decrypt(plaintext.data()), RvIs(CKR_BUFFER_TOO_SMALL));
    EXPECT_GE(length, how.plaintext.size());
    EXPECT_THAT(decrypt(plaintext.data()), ok()) << "with the length that was asked for";
    EXPECT_EQ(length, how.plaintext.size());
    plaintext.resize(length);
    EXPECT_EQ(plaintext, how.plaintext);
    EXPECT_THAT(decrypt(plaintext.data()), RvIs(CKR_OPERATION_NOT_INITIALIZED));

    if (!holds(Rule::kPublicKeyObject)) continue;
    ASSERT_THAT(f_->C_EncryptInit(session_, &mechanism, public_), ok());
    const auto encrypt = [&](CK_BYTE* out) {
      return f_->C_Encrypt(session_, mutable_data(how.plaintext), how.plaintext.size(), out, &length);
    };
    ASSERT_THAT(encrypt(nullptr), ok());
    EXPECT_EQ(length, peer_->size());
    Bytes out(peer_->size());
    length = out.size() - 1;
    EXPECT_THAT(encrypt(out.data()), RvIs(CKR_BUFFER_TOO_SMALL));
    EXPECT_EQ(length, peer_->size());
    EXPECT_THAT(encrypt(out.data()), ok());
    EXPECT_EQ(peer_->decrypt(how, out), how.plaintext);
    EXPECT_THAT(encrypt(out.data()), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  }
}

TEST_P(Ciphers, PlaintextThatIsTooLong) {
  if (!holds(Rule::kPublicKeyObject)) return;
  CK_MECHANISM mechanism = plain(CKM_RSA_PKCS);
  Bytes data(peer_->size() - 10, 1);
  Bytes out(peer_->size());
  CK_ULONG length = out.size();
  ASSERT_THAT(f_->C_EncryptInit(session_, &mechanism, public_), ok());
  EXPECT_THAT(f_->C_Encrypt(session_, data.data(), data.size(), out.data(), &length), too_long());
}

TEST_P(Ciphers, StateMachine) {
  CK_MECHANISM mechanism = plain(CKM_RSA_PKCS);
  Bytes data(peer_->size());
  CK_ULONG length = data.size();
  EXPECT_THAT(f_->C_Decrypt(session_, data.data(), data.size(), data.data(), &length),
              RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_DecryptUpdate(session_, data.data(), 1, data.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_DecryptFinal(session_, data.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_Encrypt(session_, data.data(), data.size(), data.data(), &length),
              RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_EncryptUpdate(session_, data.data(), 1, data.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_EncryptFinal(session_, data.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_THAT(f_->C_DecryptInit(session_, &mechanism, private_), ok());
  EXPECT_THAT(f_->C_DecryptInit(session_, &mechanism, private_), RvIs(CKR_OPERATION_ACTIVE));
  if (!holds(Rule::kOperationsSideBySide)) return;
  ASSERT_THAT(f_->C_EncryptInit(session_, &mechanism, public_), ok());
  EXPECT_THAT(f_->C_EncryptInit(session_, &mechanism, public_), RvIs(CKR_OPERATION_ACTIVE));
  CK_MECHANISM signing = signing_mechanism();
  EXPECT_THAT(f_->C_SignInit(session_, &signing, private_), ok());
  EXPECT_THAT(f_->C_DecryptInit(session_, nullptr, CK_INVALID_HANDLE), ok());
  EXPECT_THAT(f_->C_DecryptFinal(session_, data.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f3_->C_SessionCancel(session_, CKF_ENCRYPT), ok());
  EXPECT_THAT(f_->C_EncryptFinal(session_, data.data(), &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_SignUpdate(session_, data.data(), 1), ok());
}

TEST_P(Ciphers, InParts) {
  if (!store().ours()) return;
  for (const CipherCase& how : cases()) {
    SCOPED_TRACE(mechanism_name(how.type) + ": " + how.name);
    CK_MECHANISM mechanism = how.mechanism();
    Bytes ciphertext = peer_->encrypt(how, how.plaintext);
    ASSERT_THAT(f_->C_DecryptInit(session_, &mechanism, private_), ok());
    CK_ULONG length = 4711;
    Bytes part(peer_->size());
    ASSERT_THAT(f_->C_DecryptUpdate(session_, ciphertext.data(), 100, part.data(), &length), ok());
    EXPECT_EQ(length, 0U);
    ASSERT_THAT(f_->C_DecryptUpdate(session_, ciphertext.data() + 100, ciphertext.size() - 100, nullptr, &length),
                ok());
    Bytes plaintext(peer_->size());
    length = 0;
    if (!how.plaintext.empty()) {
      EXPECT_THAT(f_->C_DecryptFinal(session_, plaintext.data(), &length), RvIs(CKR_BUFFER_TOO_SMALL));
      EXPECT_GE(length, how.plaintext.size());
    }
    length = plaintext.size();
    ASSERT_THAT(f_->C_DecryptFinal(session_, plaintext.data(), &length), ok());
    plaintext.resize(length);
    EXPECT_EQ(plaintext, how.plaintext);

    ASSERT_THAT(f_->C_EncryptInit(session_, &mechanism, public_), ok());
    ASSERT_THAT(f_->C_EncryptUpdate(session_, mutable_data(how.plaintext), 1, nullptr, &length), ok());
    ASSERT_THAT(
        f_->C_EncryptUpdate(session_, mutable_data(how.plaintext) + 1, how.plaintext.size() - 1, nullptr, &length),
        ok());
    length = ciphertext.size();
    ASSERT_THAT(f_->C_EncryptFinal(session_, ciphertext.data(), &length), ok());
    EXPECT_EQ(peer_->decrypt(how, ciphertext), how.plaintext);
  }
}

TEST_P(Ciphers, WrongKeysAndMechanisms) {
  CK_MECHANISM mechanism = plain(CKM_RSA_PKCS);
  EXPECT_THAT(f_->C_DecryptInit(session_, &mechanism, private_ + 4711),
              (RvIs{CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID}));
  EXPECT_THAT(f_->C_DecryptInit(session_ + 4711, &mechanism, private_), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_DecryptInit(session_, nullptr, private_), RvIs(CKR_ARGUMENTS_BAD));
  CK_MECHANISM unknown = plain(CKM_VENDOR_DEFINED | 0x4711);
  EXPECT_THAT(f_->C_DecryptInit(session_, &unknown, private_), RvIs(CKR_MECHANISM_INVALID));
  CK_MECHANISM signing = plain(CKM_SHA256_RSA_PKCS);
  EXPECT_THAT(f_->C_DecryptInit(session_, &signing, private_), RvIs(CKR_MECHANISM_INVALID));
  EXPECT_THAT(f_->C_DecryptInit(session_, &mechanism, public_),
              (RvIs{CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED}));
  EXPECT_THAT(f_->C_EncryptInit(session_, &mechanism, private_),
              (RvIs{CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED}));
}

TEST_P(Ciphers, OaepParameters) {
  if (!store().ours()) return;
  const auto init = [this](CK_RSA_PKCS_OAEP_PARAMS parameters, CK_ULONG size = sizeof(CK_RSA_PKCS_OAEP_PARAMS)) {
    CK_MECHANISM mechanism{CKM_RSA_PKCS_OAEP, &parameters, size};
    const CK_RV rv = f_->C_DecryptInit(session_, &mechanism, private_);
    if (rv == CKR_OK) f_->C_DecryptInit(session_, nullptr, CK_INVALID_HANDLE);
    return rv;
  };
  const auto refused = RvIs(CKR_MECHANISM_PARAM_INVALID);
  CK_MECHANISM none = plain(CKM_RSA_PKCS_OAEP);
  EXPECT_THAT(f_->C_DecryptInit(session_, &none, private_), refused);
  EXPECT_THAT(init({CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0}), ok());
  EXPECT_THAT(init({CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, nullptr, 0}, 7), refused);
  EXPECT_THAT(init({CKM_MD5, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, nullptr, 0}), refused);
  EXPECT_THAT(init({CKM_SHA256, 4711, CKZ_DATA_SPECIFIED, nullptr, 0}), refused);
  EXPECT_THAT(init({CKM_SHA256, CKG_MGF1_SHA256, 4711, nullptr, 0}), refused);
  EXPECT_THAT(init({CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, nullptr, 5}), refused);
}

INSTANTIATE_TEST_SUITE_P(Stores, Ciphers, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.rsa() && store.strict();
                         })),
                         store_name);

class NoCiphers : public Conformance {};

TEST_P(NoCiphers, AKeyThatCannotDecryptSaysSo) {
  const CK_SESSION_HANDLE session = open_logged_in();
  CK_MECHANISM mechanism = plain(CKM_RSA_PKCS);
  EXPECT_THAT(f_->C_DecryptInit(session, &mechanism, private_key(session)),
              (RvIs{CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID, CKR_KEY_TYPE_INCONSISTENT}));
  if (!holds(Rule::kPublicKeyObject)) return;
  EXPECT_THAT(f_->C_EncryptInit(session, &mechanism, public_key(session)),
              (RvIs{CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID, CKR_KEY_TYPE_INCONSISTENT}));
  if (!store().ours()) return;
  for (const CK_MECHANISM_TYPE type : mechanisms()) {
    EXPECT_FALSE(mechanism_info(type).flags & (CKF_ENCRYPT | CKF_DECRYPT)) << mechanism_name(type);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, NoCiphers, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return !store.rsa() && store.strict();
                         })),
                         store_name);

}  // namespace
}  // namespace devtrust::testing
