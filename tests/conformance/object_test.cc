// PKCS#11 3.0 §5.7 "Object management functions", and chapter 4 about what objects have.
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "tests/conformance/fixture.h"
#include "tests/conformance/peer.h"

namespace devtrust::testing {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

template <typename T>
Bytes der_of(const T* object, int (*encode)(const T*, unsigned char**)) {
  Bytes der(static_cast<std::size_t>(encode(object, nullptr)));
  std::uint8_t* out = der.data();
  encode(object, &out);
  return der;
}

/// The certificate as OpenSSL tells it.
struct Expected {
  explicit Expected(const std::filesystem::path& pem) {
    const X509Ptr certificate = read_certificate(pem);
    value = der_of<X509>(certificate.get(), i2d_X509);
    subject = der_of<X509_NAME>(X509_get_subject_name(certificate.get()), i2d_X509_NAME);
    issuer = der_of<X509_NAME>(X509_get_issuer_name(certificate.get()), i2d_X509_NAME);
    serial = der_of<ASN1_INTEGER>(X509_get0_serialNumber(certificate.get()), i2d_ASN1_INTEGER);
    EVP_PKEY* key = X509_get0_pubkey(certificate.get());
    spki = der_of<EVP_PKEY>(key, i2d_PUBKEY);
    unsigned length = 0;
    key_hash.resize(20);
    X509_pubkey_digest(certificate.get(), EVP_sha1(), key_hash.data(), &length);
    fingerprint = digest(EVP_sha1(), value);
    from = date(X509_get0_notBefore(certificate.get()));
    to = date(X509_get0_notAfter(certificate.get()));
    if (const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(certificate.get())) {
      key_id.assign(ASN1_STRING_get0_data(id), ASN1_STRING_get0_data(id) + ASN1_STRING_length(id));
    }
  }
  static Bytes date(const ASN1_TIME* time) {
    std::tm broken{};
    ASN1_TIME_to_tm(time, &broken);
    std::array<char, 16> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y%m%d", &broken);
    return to_bytes(as_bytes(std::string_view(text.data(), length)));
  }

  Bytes value, subject, issuer, serial, spki, key_hash, key_id, fingerprint, from, to;
};

class Objects : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    session_ = open_logged_in();
  }
  std::optional<Bytes> value(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
    return attribute(session_, object, type);
  }
  void expect_flags(CK_OBJECT_HANDLE object, std::initializer_list<std::pair<CK_ATTRIBUTE_TYPE, bool>> flags) const {
    for (const auto& [type, wanted] : flags) {
      EXPECT_EQ(flag(session_, object, type), wanted) << attribute_name(type);
    }
  }
  CK_RV get(CK_OBJECT_HANDLE object, CK_ATTRIBUTE& wanted) const {
    return f_->C_GetAttributeValue(session_, object, &wanted, 1);
  }

  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

TEST_P(Objects, PrivateKey) {
  const Peer peer(built_->leaf);
  const CK_OBJECT_HANDLE key = private_key(session_);
  EXPECT_EQ(number(session_, key, CKA_CLASS), CKO_PRIVATE_KEY);
  expect_flags(key, {{CKA_TOKEN, true}, {CKA_SENSITIVE, true}, {CKA_SIGN, true}, {CKA_LOCAL, false}});
  EXPECT_EQ(number(session_, key, CKA_KEY_TYPE), store().rsa() ? CKK_RSA : store().ec() ? CKK_EC : CKK_EC_EDWARDS);
  EXPECT_THAT(value(key, CKA_ID).value_or(Bytes{}), Not(IsEmpty()));
  if (store().rsa()) {
    EXPECT_EQ(value(key, CKA_PUBLIC_EXPONENT), (Bytes{1, 0, 1}));
    EXPECT_EQ(value(key, CKA_MODULUS)->size(), peer.size());
  } else {
    EXPECT_THAT(value(key, CKA_EC_PARAMS).value_or(Bytes{}), Not(IsEmpty()));
  }
  if (!store().ours()) return;
  expect_flags(key, {{CKA_PRIVATE, !store().password.empty()},
                     {CKA_EXTRACTABLE, false},
                     // what a file once held in the clear was not always sensitive
                     {CKA_ALWAYS_SENSITIVE, false},
                     {CKA_NEVER_EXTRACTABLE, false},
                     {CKA_MODIFIABLE, false},
                     {CKA_COPYABLE, false},
                     {CKA_DESTROYABLE, false},
                     {CKA_SIGN_RECOVER, store().rsa() && holds(Rule::kRecover)},
                     {CKA_DECRYPT, store().rsa()},
                     {CKA_DERIVE, store().ec() && store().place != KeptBy::kCng},
                     {CKA_UNWRAP, false},
                     {CKA_ALWAYS_AUTHENTICATE, false},
                     {CKA_WRAP_WITH_TRUSTED, false}});
  const Expected expected(built_->leaf.certificate);
  EXPECT_EQ(value(key, CKA_LABEL), to_bytes(as_bytes(built_->token_label)));
  EXPECT_EQ(value(key, CKA_SUBJECT), expected.subject);
  EXPECT_EQ(value(key, CKA_PUBLIC_KEY_INFO), expected.spki);
  EXPECT_EQ(number(session_, key, CKA_KEY_GEN_MECHANISM), CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(value(key, CKA_START_DATE), Bytes{});
  EXPECT_EQ(value(key, CKA_END_DATE), Bytes{});
}

TEST_P(Objects, NothingSecretComesOut) {
  const CK_OBJECT_HANDLE key = private_key(session_);
  std::vector<CK_ATTRIBUTE_TYPE> secrets = {CKA_VALUE};
  if (store().rsa()) {
    secrets = {CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT};
  }
  for (const CK_ATTRIBUTE_TYPE type : secrets) {
    Bytes room(1024, 0xa5);
    CK_ATTRIBUTE wanted{type, room.data(), room.size()};
    EXPECT_THAT(get(key, wanted), RvIs(CKR_ATTRIBUTE_SENSITIVE)) << attribute_name(type);
    EXPECT_EQ(wanted.ulValueLen, CK_UNAVAILABLE_INFORMATION) << attribute_name(type);
    if (holds(Rule::kBufferIsLeftAlone)) {
      EXPECT_EQ(room, Bytes(1024, 0xa5)) << attribute_name(type);
    }
    wanted = {type, nullptr, 0};
    EXPECT_THAT(get(key, wanted), RvIs(CKR_ATTRIBUTE_SENSITIVE)) << attribute_name(type) << ", its length";
    EXPECT_EQ(wanted.ulValueLen, CK_UNAVAILABLE_INFORMATION) << attribute_name(type) << ", its length";
  }
}

TEST_P(Objects, PublicKey) {
  if (!holds(Rule::kPublicKeyObject)) return;
  const Peer peer(built_->leaf);
  const CK_OBJECT_HANDLE key = public_key(session_);
  EXPECT_EQ(value(key, CKA_ID), value(private_key(session_), CKA_ID));
  expect_flags(key, {{CKA_TOKEN, true}, {CKA_VERIFY, true}});
  if (store().rsa()) {
    EXPECT_EQ(number(session_, key, CKA_MODULUS_BITS), EVP_PKEY_get_bits(peer.key()));
    EXPECT_EQ(value(key, CKA_MODULUS), value(private_key(session_), CKA_MODULUS));
    EXPECT_EQ(value(key, CKA_PUBLIC_EXPONENT), (Bytes{1, 0, 1}));
  } else {
    EXPECT_EQ(value(key, CKA_EC_PARAMS), value(private_key(session_), CKA_EC_PARAMS));
    // a DER OCTET STRING around the point
    Bytes point = value(key, CKA_EC_POINT).value_or(Bytes{});
    const Bytes spki = peer.spki();
    ASSERT_GT(point.size(), 3U);
    EXPECT_EQ(point[0], V_ASN1_OCTET_STRING);
    const std::size_t header = point[1] < 0x80 ? 2 : 3;
    EXPECT_EQ(point[header - 1], point.size() - header);
    point.erase(point.begin(), point.begin() + static_cast<std::ptrdiff_t>(header));
    ASSERT_LT(point.size(), spki.size());
    EXPECT_TRUE(std::equal(point.rbegin(), point.rend(), spki.rbegin())) << "the point is the end of the SPKI";
  }
  if (!store().ours()) return;
  const Expected expected(built_->leaf.certificate);
  expect_flags(key, {{CKA_PRIVATE, false},
                     {CKA_MODIFIABLE, false},
                     {CKA_COPYABLE, false},
                     {CKA_DESTROYABLE, false},
                     {CKA_ENCRYPT, store().rsa()},
                     {CKA_VERIFY_RECOVER, store().rsa() && holds(Rule::kRecover)},
                     {CKA_WRAP, false},
                     {CKA_DERIVE, false},
                     {CKA_TRUSTED, false},
                     {CKA_LOCAL, false}});
  EXPECT_EQ(value(key, CKA_PUBLIC_KEY_INFO), expected.spki);
  EXPECT_EQ(value(key, CKA_SUBJECT), expected.subject);
  EXPECT_EQ(value(key, CKA_LABEL), to_bytes(as_bytes(built_->token_label)));
}

TEST_P(Objects, Leaf) {
  const Expected expected(built_->leaf.certificate);
  const CK_OBJECT_HANDLE certificate = leaf(session_);
  EXPECT_EQ(number(session_, certificate, CKA_CLASS), CKO_CERTIFICATE);
  EXPECT_EQ(number(session_, certificate, CKA_CERTIFICATE_TYPE), CKC_X_509);
  EXPECT_EQ(value(certificate, CKA_VALUE), expected.value);
  EXPECT_EQ(value(certificate, CKA_SUBJECT), expected.subject);
  EXPECT_EQ(value(certificate, CKA_ISSUER), expected.issuer);
  EXPECT_EQ(value(certificate, CKA_SERIAL_NUMBER), expected.serial);
  expect_flags(certificate, {{CKA_TOKEN, true}, {CKA_PRIVATE, false}});
  if (!store().ours()) return;
  EXPECT_EQ(value(certificate, CKA_LABEL), to_bytes(as_bytes(built_->token_label)));
  EXPECT_EQ(number(session_, certificate, CKA_CERTIFICATE_CATEGORY), CK_CERTIFICATE_CATEGORY_TOKEN_USER);
  expect_flags(certificate,
               {{CKA_TRUSTED, false}, {CKA_MODIFIABLE, false}, {CKA_COPYABLE, false}, {CKA_DESTROYABLE, false}});
}

TEST_P(Objects, Chain) {
  if (!store().ours()) return;
  const Expected leaf_expected(built_->leaf.certificate);
  std::vector<std::filesystem::path> files = {built_->leaf.certificate};
  files.insert(files.end(), built_->leaf.issuers.begin(), built_->leaf.issuers.end());
  const auto found = find(session_, CKO_CERTIFICATE);
  EXPECT_EQ(found.size(), files.size()) << "leaf, intermediate and root, and nothing of anybody else";
  std::vector<Bytes> ids;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Expected expected(files[i]);
    Template wanted;
    wanted.number(CKA_CLASS, CKO_CERTIFICATE).bytes(CKA_SUBJECT, expected.subject);
    const auto certificates = find(session_, wanted);
    ASSERT_EQ(certificates.size(), 1U) << files[i];
    const CK_OBJECT_HANDLE certificate = certificates.front();
    EXPECT_EQ(value(certificate, CKA_VALUE), expected.value);
    EXPECT_EQ(value(certificate, CKA_ISSUER), expected.issuer);
    EXPECT_EQ(value(certificate, CKA_SERIAL_NUMBER), expected.serial);
    EXPECT_EQ(value(certificate, CKA_PUBLIC_KEY_INFO), expected.spki);
    EXPECT_EQ(value(certificate, CKA_CHECK_VALUE),
              Bytes(expected.fingerprint.begin(), expected.fingerprint.begin() + 3));
    EXPECT_EQ(number(session_, certificate, CKA_NAME_HASH_ALGORITHM), CKM_SHA_1);
    EXPECT_EQ(value(certificate, CKA_HASH_OF_SUBJECT_PUBLIC_KEY), expected.key_hash);
    EXPECT_EQ(value(certificate, CKA_HASH_OF_ISSUER_PUBLIC_KEY),
              Expected(files[std::min(i + 1, files.size() - 1)]).key_hash);
    EXPECT_EQ(value(certificate, CKA_START_DATE), expected.from);
    EXPECT_EQ(value(certificate, CKA_END_DATE), expected.to);
    EXPECT_EQ(value(certificate, CKA_URL), Bytes{});
    EXPECT_EQ(number(session_, certificate, CKA_JAVA_MIDP_SECURITY_DOMAIN), CK_SECURITY_DOMAIN_UNSPECIFIED);
    expect_flags(certificate, {{CKA_TOKEN, true}, {CKA_PRIVATE, false}, {CKA_TRUSTED, false}});
    if (i > 0) {
      EXPECT_EQ(number(session_, certificate, CKA_CERTIFICATE_CATEGORY), CK_CERTIFICATE_CATEGORY_AUTHORITY);
      EXPECT_EQ(value(certificate, CKA_ID), expected.key_id) << "GnuTLS finds issuers by it";
    }
    ids.push_back(value(certificate, CKA_ID).value_or(Bytes{}));
  }
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end()) << "only leaf and key share an id";
}

TEST_P(Objects, ChainIsTrustedWhereTheInitStringSaysSo) {
  if (!store().ours()) return;
  ASSERT_THAT(f_->C_Finalize(nullptr), ok());
  const std::string init_string = built_->init_string + " chain-trusted=yes";
  InitArguments arguments(init_string);
  ASSERT_THAT(f_->C_Initialize(&arguments), ok());
  slot_ = find_slot();
  session_ = open_logged_in();
  Template wanted;
  wanted.number(CKA_CLASS, CKO_CERTIFICATE).flag(CKA_TRUSTED, true);
  EXPECT_EQ(find(session_, wanted).size(), built_->leaf.issuers.size());
  EXPECT_EQ(flag(session_, leaf(session_), CKA_TRUSTED), false) << "the leaf is nobody's issuer";
}

TEST_P(Objects, Profile) {
  if (!store().ours()) return;
  const auto found = find(session_, CKO_PROFILE);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(number(session_, found.front(), CKA_PROFILE_ID), CKP_PUBLIC_CERTIFICATES_TOKEN);
  expect_flags(found.front(), {{CKA_TOKEN, true}, {CKA_PRIVATE, false}});
}

TEST_P(Objects, UniqueIdsAreUnique) {
  if (!store().ours()) return;
  Template any;
  const auto all = find(session_, any);
  EXPECT_EQ(all.size(), 3 + built_->leaf.issuers.size() + 1) << "profile, keys, leaf, chain";
  std::vector<Bytes> ids;
  for (const CK_OBJECT_HANDLE object : all) ids.push_back(value(object, CKA_UNIQUE_ID).value_or(Bytes{}));
  EXPECT_THAT(ids, Not(Contains(IsEmpty())));
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

// The five cases of C_GetAttributeValue, PKCS#11 3.0 §5.7.5.
TEST_P(Objects, FiveCasesOfGetAttributeValue) {
  const CK_OBJECT_HANDLE key = private_key(session_);
  const CK_OBJECT_HANDLE certificate = leaf(session_);
  const CK_ATTRIBUTE_TYPE secret = store().rsa() ? CKA_PRIVATE_EXPONENT : CKA_VALUE;
  const std::size_t length = value(certificate, CKA_VALUE)->size();

  CK_ATTRIBUTE wanted{secret, nullptr, 0};
  EXPECT_THAT(get(key, wanted), RvIs(CKR_ATTRIBUTE_SENSITIVE));
  EXPECT_EQ(wanted.ulValueLen, CK_UNAVAILABLE_INFORMATION);

  wanted = {CKA_MODULUS_BITS, nullptr, 0};
  EXPECT_THAT(get(certificate, wanted), RvIs(CKR_ATTRIBUTE_TYPE_INVALID));
  EXPECT_EQ(wanted.ulValueLen, CK_UNAVAILABLE_INFORMATION);
  wanted = {CKA_VENDOR_DEFINED | 0x4711, nullptr, 0};
  EXPECT_THAT(get(certificate, wanted), RvIs(CKR_ATTRIBUTE_TYPE_INVALID));

  wanted = {CKA_VALUE, nullptr, 0};
  EXPECT_THAT(get(certificate, wanted), ok());
  EXPECT_EQ(wanted.ulValueLen, length);

  Bytes room(length + 10, 0xa5);
  wanted = {CKA_VALUE, room.data(), room.size()};
  EXPECT_THAT(get(certificate, wanted), ok());
  EXPECT_EQ(wanted.ulValueLen, length);
  EXPECT_EQ(Bytes(room.begin() + static_cast<std::ptrdiff_t>(length), room.end()), Bytes(10, 0xa5));

  room.assign(length, 0xa5);
  wanted = {CKA_VALUE, room.data(), length - 1};
  EXPECT_THAT(get(certificate, wanted), RvIs(CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(wanted.ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(room.back(), 0xa5);
}

TEST_P(Objects, EveryAttributeOfATemplateIsLookedAt) {
  const CK_OBJECT_HANDLE certificate = leaf(session_);
  CK_OBJECT_CLASS object_class = 4711;
  CK_CERTIFICATE_TYPE type = 4711;
  std::uint8_t small = 0xa5;
  std::array<CK_ATTRIBUTE, 5> wanted = {{{CKA_CLASS, &object_class, sizeof object_class},
                                         {CKA_MODULUS_BITS, nullptr, 0},
                                         {CKA_VALUE, &small, 1},
                                         {CKA_SUBJECT, nullptr, 0},
                                         {CKA_CERTIFICATE_TYPE, &type, sizeof type}}};
  EXPECT_THAT(f_->C_GetAttributeValue(session_, certificate, wanted.data(), wanted.size()),
              (RvIs{CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL}));
  EXPECT_EQ(object_class, CKO_CERTIFICATE);
  EXPECT_EQ(wanted[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(wanted[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(small, 0xa5);
  EXPECT_EQ(wanted[3].ulValueLen, value(certificate, CKA_SUBJECT)->size());
  EXPECT_EQ(type, CKC_X_509) << "what comes after a failure is given too";
}

TEST_P(Objects, HandlesAreTheSameInEverySession) {
  const CK_SESSION_HANDLE other = open(CKF_RW_SESSION);
  EXPECT_EQ(private_key(session_), private_key(other));
  EXPECT_EQ(leaf(session_), leaf(other));
  const auto handles = find(session_, CKO_CERTIFICATE);
  EXPECT_THAT(find(other, CKO_CERTIFICATE), ::testing::UnorderedElementsAreArray(handles));
}

TEST_P(Objects, WritesAreRefused) {
  if (!store().ours()) return;
  const CK_SESSION_HANDLE writing = open(CKF_RW_SESSION);
  const CK_OBJECT_HANDLE key = private_key(session_);
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  Template data;
  data.number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).text(CKA_LABEL, "mine");
  EXPECT_THAT(f_->C_CreateObject(session_, data.data(), data.size(), &made), RvIs(CKR_SESSION_READ_ONLY));
  EXPECT_THAT(f_->C_CreateObject(writing, data.data(), data.size(), &made), RvIs(CKR_TOKEN_WRITE_PROTECTED));
  Template session_data;
  session_data.number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, false);
  EXPECT_THAT(f_->C_CreateObject(session_, session_data.data(), session_data.size(), &made),
              RvIs(CKR_FUNCTION_NOT_SUPPORTED));
  Template nothing;
  EXPECT_THAT(f_->C_CreateObject(writing, nothing.data(), 0, &made), RvIs(CKR_TEMPLATE_INCOMPLETE));
  EXPECT_THAT(f_->C_CreateObject(writing, nullptr, 3, &made), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_CreateObject(writing, data.data(), data.size(), nullptr), RvIs(CKR_ARGUMENTS_BAD));

  EXPECT_THAT(f_->C_CopyObject(writing, key, nothing.data(), 0, &made), RvIs(CKR_ACTION_PROHIBITED));
  EXPECT_THAT(f_->C_CopyObject(writing, key + 4711, nothing.data(), 0, &made), RvIs(CKR_OBJECT_HANDLE_INVALID));

  EXPECT_THAT(f_->C_DestroyObject(session_, key), RvIs(CKR_SESSION_READ_ONLY));
  EXPECT_THAT(f_->C_DestroyObject(writing, key), (RvIs{CKR_TOKEN_WRITE_PROTECTED, CKR_ACTION_PROHIBITED}));
  EXPECT_THAT(f_->C_DestroyObject(writing, key + 4711), RvIs(CKR_OBJECT_HANDLE_INVALID));

  Template label;
  label.text(CKA_LABEL, "mine");
  EXPECT_THAT(f_->C_SetAttributeValue(session_, key, label.data(), 1), RvIs(CKR_SESSION_READ_ONLY));
  EXPECT_THAT(f_->C_SetAttributeValue(writing, key, label.data(), 1),
              (RvIs{CKR_TOKEN_WRITE_PROTECTED, CKR_ACTION_PROHIBITED}));
  EXPECT_THAT(f_->C_SetAttributeValue(writing, key + 4711, label.data(), 1), RvIs(CKR_OBJECT_HANDLE_INVALID));
  EXPECT_EQ(private_key(session_), key);
}

INSTANTIATE_TEST_SUITE_P(Stores, Objects, ::testing::ValuesIn(all_stores()), store_name);

class Find : public Objects {};

TEST_P(Find, AnEmptyTemplateFindsEverything) {
  Template any;
  const auto all = find(session_, any);
  EXPECT_THAT(all, Contains(private_key(session_)));
  EXPECT_THAT(all, Contains(leaf(session_)));
  auto sorted = all;
  std::ranges::sort(sorted);
  EXPECT_EQ(std::ranges::adjacent_find(sorted), sorted.end()) << "an object was given twice";
  EXPECT_THAT(f_->C_FindObjectsInit(session_, nullptr, 0), ok()) << "a NULL template is an empty one";
  EXPECT_THAT(f_->C_FindObjectsFinal(session_), ok());
}

TEST_P(Find, WhatIsNotThereIsAnEmptyAnswer) {
  for (const CK_OBJECT_CLASS object_class :
       {CK_OBJECT_CLASS{CKO_DATA}, CK_OBJECT_CLASS{CKO_SECRET_KEY}, CK_OBJECT_CLASS{CKO_HW_FEATURE},
        CK_OBJECT_CLASS{CKO_DOMAIN_PARAMETERS}, CK_OBJECT_CLASS{CKO_VENDOR_DEFINED | 0x4711}}) {
    EXPECT_THAT(find(session_, object_class), IsEmpty()) << object_class;
  }
  if (holds(Rule::kUnknownAttributes)) {
    Template unknown;
    unknown.text(CKA_VENDOR_DEFINED | 0x4711, "whatever");
    EXPECT_THAT(find(session_, unknown), IsEmpty());
  }
  Template contradiction;
  contradiction.number(CKA_CLASS, CKO_CERTIFICATE).number(CKA_CLASS, CKO_PRIVATE_KEY);
  EXPECT_THAT(find(session_, contradiction), IsEmpty());
  if (!holds(Rule::kNoTrustObjects)) return;
  // NSS asks each token for its trust and built-in objects.
  EXPECT_THAT(find(session_, CK_OBJECT_CLASS{0xce534353}), IsEmpty());
  EXPECT_THAT(find(session_, CK_OBJECT_CLASS{0xce534354}), IsEmpty());
}

TEST_P(Find, ByEachReadableAttribute) {
  const CK_OBJECT_HANDLE certificate = leaf(session_);
  for (const CK_ATTRIBUTE_TYPE type :
       {CK_ATTRIBUTE_TYPE{CKA_VALUE}, CK_ATTRIBUTE_TYPE{CKA_SUBJECT}, CK_ATTRIBUTE_TYPE{CKA_ISSUER},
        CK_ATTRIBUTE_TYPE{CKA_SERIAL_NUMBER}, CK_ATTRIBUTE_TYPE{CKA_ID}, CK_ATTRIBUTE_TYPE{CKA_LABEL},
        CK_ATTRIBUTE_TYPE{CKA_CERTIFICATE_TYPE}, CK_ATTRIBUTE_TYPE{CKA_TOKEN}}) {
    Template wanted;
    wanted.bytes(type, *value(certificate, type));
    EXPECT_THAT(find(session_, wanted), Contains(certificate)) << attribute_name(type);
  }
  Bytes almost = *value(certificate, CKA_VALUE);
  almost.back() ^= 1U;
  Template wrong;
  wrong.bytes(CKA_VALUE, almost);
  EXPECT_THAT(find(session_, wrong), IsEmpty());
  almost.pop_back();
  Template shorter;
  shorter.bytes(CKA_VALUE, almost);
  EXPECT_THAT(find(session_, shorter), IsEmpty());
  Template issuer_and_serial;
  issuer_and_serial.number(CKA_CLASS, CKO_CERTIFICATE)
      .bytes(CKA_ISSUER, *value(certificate, CKA_ISSUER))
      .bytes(CKA_SERIAL_NUMBER, *value(certificate, CKA_SERIAL_NUMBER));
  EXPECT_THAT(find(session_, issuer_and_serial), ::testing::ElementsAre(certificate));
}

TEST_P(Find, ASecretValueMatchesNothing) {
  if (!store().ours()) return;
  Template wanted;
  wanted.bytes(store().rsa() ? CKA_PRIVATE_EXPONENT : CKA_VALUE, {});
  wanted.number(CKA_CLASS, CKO_PRIVATE_KEY);
  EXPECT_THAT(find(session_, wanted), IsEmpty());
}

TEST_P(Find, InSteps) {
  Template any;
  const auto all = find(session_, any);
  ASSERT_GT(all.size(), 2U);
  ASSERT_THAT(f_->C_FindObjectsInit(session_, any.data(), any.size()), ok());
  std::vector<CK_OBJECT_HANDLE> found;
  for (std::size_t i = 0; i < all.size(); ++i) {
    CK_OBJECT_HANDLE one = CK_INVALID_HANDLE;
    CK_ULONG count = 4711;
    ASSERT_THAT(f_->C_FindObjects(session_, &one, 1, &count), ok());
    ASSERT_EQ(count, 1U);
    found.push_back(one);
  }
  CK_OBJECT_HANDLE none = 4711;
  CK_ULONG count = 4711;
  for (int again = 0; again < 2; ++again) {
    ASSERT_THAT(f_->C_FindObjects(session_, &none, 1, &count), ok()) << "the end may be reached more than once";
    EXPECT_EQ(count, 0U);
  }
  EXPECT_EQ(none, 4711U);
  EXPECT_THAT(f_->C_FindObjectsFinal(session_), ok());
  EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(all));
}

TEST_P(Find, OneSearchAtATime) {
  Template any;
  ASSERT_THAT(f_->C_FindObjectsInit(session_, any.data(), any.size()), ok());
  if (holds(Rule::kOneSearchAtATime)) {
    EXPECT_THAT(f_->C_FindObjectsInit(session_, any.data(), any.size()), RvIs(CKR_OPERATION_ACTIVE));
  }
  const CK_SESSION_HANDLE other = open();
  EXPECT_THAT(f_->C_FindObjectsInit(other, any.data(), any.size()), ok()) << "each session has its own";
  EXPECT_THAT(f_->C_FindObjectsFinal(session_), ok());
  CK_OBJECT_HANDLE one = CK_INVALID_HANDLE;
  CK_ULONG count = 0;
  EXPECT_THAT(f_->C_FindObjects(other, &one, 1, &count), ok());
  EXPECT_EQ(count, 1U);
  EXPECT_THAT(f_->C_FindObjectsFinal(other), ok());
}

TEST_P(Find, BesideASignature) {
  if (!holds(Rule::kOperationsSideBySide)) return;
  CK_MECHANISM mechanism = signing_mechanism();
  const CK_OBJECT_HANDLE key = private_key(session_);
  Template any;
  ASSERT_THAT(f_->C_SignInit(session_, &mechanism, key), ok());
  ASSERT_THAT(f_->C_FindObjectsInit(session_, any.data(), any.size()), ok());
  Bytes signature(1024);
  CK_ULONG length = signature.size();
  Bytes data = some_bytes(32);
  EXPECT_THAT(f_->C_Sign(session_, data.data(), data.size(), signature.data(), &length), ok());
  EXPECT_THAT(f_->C_FindObjectsFinal(session_), ok());
}

INSTANTIATE_TEST_SUITE_P(Stores, Find, ::testing::ValuesIn(all_stores()), store_name);

/// Softokn crashes here.
class ArgumentsOfObjects : public Objects {};

TEST_P(ArgumentsOfObjects, GetAttributeValueChecksItsArguments) {
  const CK_OBJECT_HANDLE certificate = leaf(session_);
  CK_ATTRIBUTE wanted{CKA_CLASS, nullptr, 0};
  EXPECT_THAT(f_->C_GetAttributeValue(session_, certificate, nullptr, 1), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GetAttributeValue(session_ + 4711, certificate, &wanted, 1), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_GetAttributeValue(session_, CK_INVALID_HANDLE, &wanted, 1), RvIs(CKR_OBJECT_HANDLE_INVALID));
  EXPECT_THAT(f_->C_GetAttributeValue(session_, certificate + 4711, &wanted, 1), RvIs(CKR_OBJECT_HANDLE_INVALID));
}

TEST_P(ArgumentsOfObjects, Size) {
  const CK_OBJECT_HANDLE certificate = leaf(session_);
  CK_ULONG size = 0;
  EXPECT_THAT(f_->C_GetObjectSize(session_, certificate, nullptr), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GetObjectSize(session_ + 4711, certificate, &size), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_GetObjectSize(session_, certificate + 4711, &size), RvIs(CKR_OBJECT_HANDLE_INVALID));
  ASSERT_THAT(f_->C_GetObjectSize(session_, certificate, &size), ok());
  EXPECT_GE(size, value(certificate, CKA_VALUE)->size());
}

TEST_P(ArgumentsOfObjects, FindChecksItsArguments) {
  CK_OBJECT_HANDLE one = CK_INVALID_HANDLE;
  CK_ULONG count = 0;
  EXPECT_THAT(f_->C_FindObjects(session_, &one, 1, &count), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_FindObjectsFinal(session_), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_THAT(f_->C_FindObjectsInit(session_, nullptr, 1), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_FindObjectsInit(session_ + 4711, nullptr, 0), RvIs(CKR_SESSION_HANDLE_INVALID));
  Template any;
  ASSERT_THAT(f_->C_FindObjectsInit(session_, any.data(), any.size()), ok());
  EXPECT_THAT(f_->C_FindObjects(session_, nullptr, 1, &count), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_FindObjects(session_, &one, 1, nullptr), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_FindObjects(session_ + 4711, &one, 1, &count), RvIs(CKR_SESSION_HANDLE_INVALID));
  if (store().ours()) {
    EXPECT_THAT(f_->C_FindObjects(session_, &one, 1, &count), ok()) << "a wrong call ends no search";
    CK_ATTRIBUTE half{CKA_LABEL, nullptr, 4};
    EXPECT_THAT(f_->C_FindObjectsFinal(session_), ok());
    EXPECT_THAT(f_->C_FindObjectsInit(session_, &half, 1), RvIs(CKR_ARGUMENTS_BAD));
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, ArgumentsOfObjects, ::testing::ValuesIn(strict_stores()), store_name);

}  // namespace
}  // namespace devtrust::testing
