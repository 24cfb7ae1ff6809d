// PKCS#11 3.0 §5.18.5 "C_DeriveKey": ECDH, and the secret keys that come of it.
#include "tests/conformance/fixture.h"
#include "tests/conformance/peer.h"

namespace devtrust::testing {
namespace {

class Derive : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    peer_ = std::make_unique<Peer>(built_->leaf);
    other_ = std::make_unique<Peer>(ephemeral(peer_->key()));
    point_ = other_->point();
    session_ = open_logged_in();
    private_ = private_key(session_);
  }
  std::size_t field_size() const { return peer_->size() / 2; }
  CK_ECDH1_DERIVE_PARAMS parameters(CK_ULONG kdf = CKD_NULL) { return {kdf, 0, nullptr, point_.size(), point_.data()}; }
  CK_RV derive(CK_ECDH1_DERIVE_PARAMS parameters, Template& wanted, CK_OBJECT_HANDLE& key,
               CK_MECHANISM_TYPE type = CKM_ECDH1_DERIVE) const {
    CK_MECHANISM mechanism{type, &parameters, sizeof parameters};
    return f_->C_DeriveKey(session_, &mechanism, private_, wanted.data(), wanted.size(), &key);
  }
  /// That comes out again.
  static void describe(Template& wanted, CK_ULONG length) {
    wanted.number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .flag(CKA_TOKEN, false)
        .flag(CKA_SENSITIVE, false)
        .flag(CKA_EXTRACTABLE, true)
        .number(CKA_VALUE_LEN, length);
  }

  std::unique_ptr<Peer> peer_, other_;
  Bytes point_;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE private_ = CK_INVALID_HANDLE;
};

TEST_P(Derive, TheSecretIsOpenSsls) {
  const Bytes expected = other_->derive(peer_->key(), nullptr, {}, 0);
  ASSERT_EQ(expected.size(), field_size());
  for (const CK_MECHANISM_TYPE type : {CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE}) {
    if (!listed(type)) continue;
    SCOPED_TRACE(mechanism_name(type));
    Template wanted;
    describe(wanted, field_size());
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    ASSERT_THAT(derive(parameters(), wanted, key, type), ok());
    EXPECT_EQ(attribute(session_, key, CKA_VALUE), expected);
    EXPECT_EQ(number(session_, key, CKA_CLASS), CKO_SECRET_KEY);
    EXPECT_EQ(number(session_, key, CKA_VALUE_LEN), field_size());
    EXPECT_EQ(flag(session_, key, CKA_LOCAL), false);
    EXPECT_EQ(flag(session_, key, CKA_ALWAYS_SENSITIVE), false);
    EXPECT_EQ(flag(session_, key, CKA_NEVER_EXTRACTABLE), false);
  }
}

TEST_P(Derive, WithoutALengthItIsTheWholeSecret) {
  if (!store().ours()) return;
  Template wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  ASSERT_THAT(derive(parameters(), wanted, key), ok());
  EXPECT_EQ(attribute(session_, key, CKA_VALUE), other_->derive(peer_->key(), nullptr, {}, 0));
  EXPECT_EQ(flag(session_, key, CKA_TOKEN), false);
}

TEST_P(Derive, AShorterKeyIsTheEnd) {
  const Bytes whole = other_->derive(peer_->key(), nullptr, {}, 0);
  const Bytes expected(whole.end() - 16, whole.end());
  Template wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_AES)
      .flag(CKA_SENSITIVE, false)
      .flag(CKA_EXTRACTABLE, true)
      .number(CKA_VALUE_LEN, 16);
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  ASSERT_THAT(derive(parameters(), wanted, key), ok());
  EXPECT_EQ(attribute(session_, key, CKA_VALUE), expected);
  EXPECT_EQ(number(session_, key, CKA_KEY_TYPE), CKK_AES);
}

TEST_P(Derive, WithAKeyDerivationFunction) {
  if (!store().ours()) return;
  Bytes shared = some_bytes(13);
  for (const auto& [kdf, name] : std::initializer_list<std::pair<CK_ULONG, const char*>>{
           {CKD_SHA1_KDF, "SHA1"}, {CKD_SHA256_KDF, "SHA256"}, {CKD_SHA512_KDF, "SHA512"}}) {
    for (const CK_ULONG length : {CK_ULONG{16}, CK_ULONG{100}}) {
      SCOPED_TRACE(std::string(name) + ", " + std::to_string(length));
      Template wanted;
      describe(wanted, length);
      CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
      auto with = parameters(kdf);
      ASSERT_THAT(derive(with, wanted, key), ok());
      EXPECT_EQ(attribute(session_, key, CKA_VALUE), other_->derive(peer_->key(), name, {}, length));
      with.pSharedData = shared.data();
      with.ulSharedDataLen = shared.size();
      ASSERT_THAT(derive(with, wanted, key), ok());
      EXPECT_EQ(attribute(session_, key, CKA_VALUE), other_->derive(peer_->key(), name, shared, length));
    }
  }
}

TEST_P(Derive, ThePointMayBeADerOctetString) {
  Bytes der = {0x04};
  if (point_.size() >= 0x80) der.push_back(0x81);
  der.push_back(static_cast<std::uint8_t>(point_.size()));
  der.insert(der.end(), point_.begin(), point_.end());
  Template wanted;
  describe(wanted, field_size());
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  auto with = parameters();
  with.pPublicData = der.data();
  with.ulPublicDataLen = der.size();
  ASSERT_THAT(derive(with, wanted, key), ok()) << "PKCS#11 3.0 §2.3.7 lets callers give either form";
  EXPECT_EQ(attribute(session_, key, CKA_VALUE), other_->derive(peer_->key(), nullptr, {}, 0));
}

TEST_P(Derive, ASensitiveKeyDoesNotComeOut) {
  Template wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
      .flag(CKA_TOKEN, false)
      .flag(CKA_SENSITIVE, true)
      .flag(CKA_EXTRACTABLE, false)
      .number(CKA_VALUE_LEN, field_size());
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  ASSERT_THAT(derive(parameters(), wanted, key), ok());
  Bytes room(256, 0xa5);
  CK_ATTRIBUTE value{CKA_VALUE, room.data(), room.size()};
  EXPECT_THAT(f_->C_GetAttributeValue(session_, key, &value, 1), RvIs(CKR_ATTRIBUTE_SENSITIVE));
  EXPECT_EQ(room, Bytes(256, 0xa5));
}

TEST_P(Derive, TheKeyIsAnObjectOfItsSession) {
  Template wanted;
  describe(wanted, field_size());
  wanted.text(CKA_LABEL, "derived").text(CKA_ID, "7");
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  ASSERT_THAT(derive(parameters(), wanted, key), ok());
  EXPECT_THAT(find(session_, CKO_SECRET_KEY), ::testing::ElementsAre(key));
  EXPECT_EQ(attribute(session_, key, CKA_LABEL), to_bytes(as_bytes("derived")));
  EXPECT_EQ(attribute(session_, key, CKA_ID), to_bytes(as_bytes("7")));
  const CK_SESSION_HANDLE other = open();
  EXPECT_THAT(find(other, CKO_SECRET_KEY), ::testing::ElementsAre(key)) << "of the whole application";
  EXPECT_THAT(f_->C_DestroyObject(session_, key), ok());
  EXPECT_THAT(find(session_, CKO_SECRET_KEY), ::testing::IsEmpty());
  CK_ULONG size = 0;
  EXPECT_THAT(f_->C_GetObjectSize(session_, key, &size), RvIs(CKR_OBJECT_HANDLE_INVALID));

  ASSERT_THAT(derive(parameters(), wanted, key), ok());
  EXPECT_THAT(f_->C_CloseSession(session_), ok());
  EXPECT_THAT(find(other, CKO_SECRET_KEY), ::testing::IsEmpty()) << "it dies with its session";
}

TEST_P(Derive, ItCanBeDigested) {
  if (!store().ours()) return;
  Template wanted;
  describe(wanted, field_size());
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  ASSERT_THAT(derive(parameters(), wanted, key), ok());
  CK_MECHANISM mechanism = plain(CKM_SHA256);
  ASSERT_THAT(f_->C_DigestInit(session_, &mechanism), ok());
  ASSERT_THAT(f_->C_DigestKey(session_, key), ok());
  Bytes out(32);
  CK_ULONG length = out.size();
  ASSERT_THAT(f_->C_DigestFinal(session_, out.data(), &length), ok());
  EXPECT_EQ(out, digest(EVP_sha256(), other_->derive(peer_->key(), nullptr, {}, 0)));
}

TEST_P(Derive, Templates) {
  if (!store().ours()) return;
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  const auto with = [&](CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    Template wanted;
    wanted.number(type, value);
    return derive(parameters(), wanted, key);
  };
  EXPECT_THAT(with(CKA_CLASS, CKO_PRIVATE_KEY), RvIs(CKR_TEMPLATE_INCONSISTENT));
  EXPECT_THAT(with(CKA_KEY_TYPE, CKK_RSA), RvIs(CKR_TEMPLATE_INCONSISTENT));
  EXPECT_THAT(with(CKA_VALUE_LEN, field_size() + 1),
              (RvIs{CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT}))
      << "there is no more of the secret";
  EXPECT_THAT(with(CKA_MODULUS_BITS, 4), (RvIs{CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT}));
  Template token;
  token.flag(CKA_TOKEN, true);
  EXPECT_THAT(derive(parameters(), token, key), RvIs(CKR_SESSION_READ_ONLY));
  session_ = open(CKF_RW_SESSION);
  EXPECT_THAT(derive(parameters(), token, key), RvIs(CKR_TOKEN_WRITE_PROTECTED));
  Template value;
  value.text(CKA_VALUE, "chosen");
  EXPECT_THAT(derive(parameters(), value, key),
              (RvIs{CKR_ATTRIBUTE_READ_ONLY, CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT}));
  EXPECT_THAT(find(session_, CKO_SECRET_KEY), ::testing::IsEmpty());
}

TEST_P(Derive, Parameters) {
  Template wanted;
  describe(wanted, field_size());
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  const ::testing::Matcher<CK_RV> refused =
      store().ours() ? RvIs(CKR_MECHANISM_PARAM_INVALID)
                     : RvIs{CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED};
  CK_MECHANISM none = plain(CKM_ECDH1_DERIVE);
  EXPECT_THAT(f_->C_DeriveKey(session_, &none, private_, wanted.data(), wanted.size(), &key), refused);
  if (!store().ours()) return;
  auto with = parameters();
  CK_MECHANISM shorter{CKM_ECDH1_DERIVE, &with, sizeof with - 1};
  EXPECT_THAT(f_->C_DeriveKey(session_, &shorter, private_, wanted.data(), wanted.size(), &key), refused);
  with = parameters(4711);
  EXPECT_THAT(derive(with, wanted, key), refused);
  with = parameters();
  with.pPublicData = nullptr;
  EXPECT_THAT(derive(with, wanted, key), refused);
  with = parameters();
  with.ulPublicDataLen -= 1;
  EXPECT_THAT(derive(with, wanted, key), refused);
  with = parameters();
  point_.back() ^= 1U;
  EXPECT_THAT(derive(with, wanted, key), refused) << "a point that is not on the curve: an invalid-curve attack";
  point_.assign(1, 0);
  with = parameters();
  EXPECT_THAT(derive(with, wanted, key), refused) << "the point at infinity";
  point_ = other_->point();
  with = parameters();
  Bytes shared = some_bytes(4);
  with.pSharedData = shared.data();
  with.ulSharedDataLen = shared.size();
  EXPECT_THAT(derive(with, wanted, key), refused) << "CKD_NULL takes no shared data";
}

TEST_P(Derive, ChecksItsArguments) {
  Template wanted;
  describe(wanted, field_size());
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  auto with = parameters();
  CK_MECHANISM mechanism{CKM_ECDH1_DERIVE, &with, sizeof with};
  CK_MECHANISM unknown{CKM_VENDOR_DEFINED | 0x4711, nullptr, 0};
  const auto call = [&](CK_SESSION_HANDLE session, CK_MECHANISM* how, CK_OBJECT_HANDLE base) {
    return f_->C_DeriveKey(session, how, base, wanted.data(), wanted.size(), &key);
  };
  EXPECT_THAT(call(session_ + 4711, &mechanism, private_), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(call(session_, nullptr, private_), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(call(session_, &unknown, private_), RvIs(CKR_MECHANISM_INVALID));
  EXPECT_THAT(call(session_, &mechanism, private_ + 4711), (RvIs{CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID}));
  EXPECT_THAT(f_->C_DeriveKey(session_, &mechanism, private_, nullptr, 2, &key), RvIs(CKR_ARGUMENTS_BAD));
  if (!store().ours()) return;
  EXPECT_THAT(f_->C_DeriveKey(session_, &mechanism, private_, wanted.data(), wanted.size(), nullptr),
              RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(call(session_, &mechanism, public_key(session_)),
              (RvIs{CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED}));
  CK_MECHANISM signing = plain(CKM_ECDSA);
  EXPECT_THAT(call(session_, &signing, private_), RvIs(CKR_MECHANISM_INVALID));
}

INSTANTIATE_TEST_SUITE_P(Stores, Derive, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.ec() && store.strict() && store.place != KeptBy::kCng;
                         })),
                         store_name);

class NoDerive : public Conformance {};

TEST_P(NoDerive, AKeyThatCannotDeriveSaysSo) {
  const CK_SESSION_HANDLE session = open_logged_in();
  Bytes point = some_bytes(65);
  CK_ECDH1_DERIVE_PARAMS parameters{CKD_NULL, 0, nullptr, point.size(), point.data()};
  CK_MECHANISM mechanism{CKM_ECDH1_DERIVE, &parameters, sizeof parameters};
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  Template wanted;
  EXPECT_THAT(f_->C_DeriveKey(session, &mechanism, private_key(session), wanted.data(), 0, &key),
              (RvIs{CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID, CKR_KEY_TYPE_INCONSISTENT}));
}

INSTANTIATE_TEST_SUITE_P(Stores, NoDerive, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.ours() && (!store.ec() || store.place == KeptBy::kCng);
                         })),
                         store_name);

}  // namespace
}  // namespace devtrust::testing
