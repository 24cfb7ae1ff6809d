#include "tests/conformance/fixture.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tests/conformance/host.h"

namespace devtrust::testing {
namespace {

/// A rule that does not hold for one judge or the other, SoftHSM 2.6 and softokn 3.87, or for ours with a key in a
/// cryptographic service provider or in a key storage provider of Windows, on a token of SoftHSM's, or in a keychain.
struct Exception {
  Rule rule;
  bool softhsm, softokn;
  const char* why;
  bool csp = false, cng = false, token_softhsm = false, keychain = false;
};

const std::vector<Exception> kExceptions = {
    {Rule::kOperationsSideBySide, true, true, "they have one operation in a session at a time"},
    {Rule::kWholeAfterParts, true, false, "C_Digest and C_Sign after an update finish the operation"},
    {Rule::kStateIsNotSaved, true, false, "it answers CKR_FUNCTION_NOT_SUPPORTED"},
    {Rule::kNoSecurityOfficer, true, false, "it has one"},
    {Rule::kLogoutOfNobody, true, false, "C_Logout answers CKR_OK where nobody is logged in"},
    {Rule::kSearchEndsWithLogin, true, false, "what a search found stays found"},
    {Rule::kEveryPss, true, false,
     "MGF1's hash has to be the signature's; CNG knows no SHA-224, CryptoAPI no PSS, keychains one length of salt",
     true, true, true, true},
    {Rule::kEveryOaep, true, false,
     "SHA-1 and no label only; CNG knows no SHA-224 and one hash for both, and so keychains, without a label", true,
     true, true, true},
    {Rule::kErrorCodes, true, false, "CKR_GENERAL_ERROR for what the cryptographic library refuses"},
    {Rule::kStrictArguments, true, false, "an error in the arguments leaves the operation running"},
    {Rule::kStrictParameters, true, false, "a parameter where none belongs is passed over"},
    {Rule::kCancel, true, false, "it is of PKCS#11 2.40"},
    {Rule::kRecover, true, false, "it has no signatures with recovery; CryptoAPI's are of digests only", true, false},
    {Rule::kAnyData, false, false, "CryptoAPI signs digests that it knows, of which SHA-224 is none", true, false},
    {Rule::kRawRsa, false, false, "neither CryptoAPI nor CNG goes without a padding", true, true},
    {Rule::kSlotEvents, true, false, "C_WaitForSlotEvent checks no argument, and does not block"},
    {Rule::kNoWrites, true, false, "its token can be written"},
    {Rule::kPublicKeyObject, false, true, "an imported key has no public key object"},
    {Rule::kNoTrustObjects, false, true, "it has trust objects"},
    {Rule::kBufferIsLeftAlone, false, true, "it fills the buffer of what it refuses with zeros"},
    {Rule::kUnknownAttributes, false, true, "a search for an attribute that it does not know is an error"},
    {Rule::kOneSearchAtATime, false, true, "a second search takes the place of the first"},
    {Rule::kNullInterfaces, false, true, "it crashes on NULL"},
};

}  // namespace

Template& Template::number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  return bytes(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

Template& Template::flag(CK_ATTRIBUTE_TYPE type, bool value) {
  const CK_BBOOL byte = value ? CK_TRUE : CK_FALSE;
  return bytes(type, {&byte, 1});
}

Template& Template::bytes(CK_ATTRIBUTE_TYPE type, ByteView value) {
  Bytes& kept = values_.emplace_back(to_bytes(value));
  attributes_.push_back({type, kept.data(), kept.size()});
  return *this;
}

bool Conformance::holds(Rule rule) const {
  const auto found = std::ranges::find(kExceptions, rule, &Exception::rule);
  if (found == kExceptions.end()) return true;
  if (store().ours()) {
    switch (store().place) {
      case KeptBy::kSoftware:
      case KeptBy::kSoftokn:
        return true;
      case KeptBy::kCsp:
        return !found->csp;
      case KeptBy::kCng:
        return !found->cng;
      case KeptBy::kSoftHsm:
        return !found->token_softhsm;
      case KeptBy::kKeychain:
        return !found->keychain;
    }
  }
  return store().owner == Owner::kSoftHsm ? !found->softhsm : !found->softokn;
}

void Conformance::SetUp() {
  built_ = &built(store());
  for (const auto& [name, value] : built_->environment) set_environment(name, value);
  const Module& module = loaded(built_->module_path);
  f_ = &module.functions();
  f3_ = module.functions_3_0();
  initialize();
  slot_ = find_slot();
}

void Conformance::TearDown() {
  f_->C_Finalize(nullptr);
  // Where the module has a double in it that counts: nothing is held any more.
  const auto live_objects = loaded(built_->module_path).symbol<std::size_t (*)()>("live_objects_of_double");
  if (live_objects != nullptr) {
    EXPECT_EQ(live_objects(), 0U);
  }
}

void Conformance::initialize() {
  InitArguments arguments(built_->init_string);
  ASSERT_THAT(f_->C_Initialize(&arguments), ok());
}

CK_SLOT_ID Conformance::find_slot() const {
  CK_ULONG count = 0;
  EXPECT_THAT(f_->C_GetSlotList(CK_TRUE, nullptr, &count), ok());
  std::vector<CK_SLOT_ID> slots(count);
  EXPECT_THAT(f_->C_GetSlotList(CK_TRUE, slots.data(), &count), ok());
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    EXPECT_THAT(f_->C_GetTokenInfo(slot, &info), ok());
    if (unpadded(info.label) == built_->token_label) return slot;
  }
  ADD_FAILURE() << "there is no token " << built_->token_label;
  return 0;
}

CK_SESSION_HANDLE Conformance::open(CK_FLAGS flags) const {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  EXPECT_THAT(f_->C_OpenSession(slot_, flags | CKF_SERIAL_SESSION, nullptr, nullptr, &session), ok());
  return session;
}

CK_SESSION_HANDLE Conformance::open_logged_in(CK_FLAGS flags) const {
  const CK_SESSION_HANDLE session = open(flags);
  if (!store().password.empty()) {
    EXPECT_THAT(login(session, store().password), (RvIs{CKR_OK, CKR_USER_ALREADY_LOGGED_IN}));
  }
  return session;
}

CK_RV Conformance::login(CK_SESSION_HANDLE session, std::string_view pin, CK_USER_TYPE user) const {
  return f_->C_Login(session, user, mutable_text(pin), pin.size());
}

std::vector<CK_OBJECT_HANDLE> Conformance::find(CK_SESSION_HANDLE session, Template& wanted) const {
  EXPECT_THAT(f_->C_FindObjectsInit(session, wanted.data(), wanted.size()), ok());
  std::vector<CK_OBJECT_HANDLE> all;
  std::array<CK_OBJECT_HANDLE, 8> some{};
  for (CK_ULONG count = some.size(); count > 0;) {
    const CK_RV rv = f_->C_FindObjects(session, some.data(), some.size(), &count);
    EXPECT_THAT(rv, ok());
    if (rv != CKR_OK) break;
    all.insert(all.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  EXPECT_THAT(f_->C_FindObjectsFinal(session), ok());
  return all;
}

std::vector<CK_OBJECT_HANDLE> Conformance::find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class) const {
  Template wanted;
  wanted.number(CKA_CLASS, object_class);
  return find(session, wanted);
}

CK_OBJECT_HANDLE Conformance::private_key(CK_SESSION_HANDLE session) const {
  const auto found = find(session, CKO_PRIVATE_KEY);
  EXPECT_EQ(found.size(), 1U);
  return found.empty() ? CK_INVALID_HANDLE : found.front();
}

CK_OBJECT_HANDLE Conformance::public_key(CK_SESSION_HANDLE session) const {
  const auto found = find(session, CKO_PUBLIC_KEY);
  EXPECT_EQ(found.size(), 1U);
  return found.empty() ? CK_INVALID_HANDLE : found.front();
}

CK_OBJECT_HANDLE Conformance::leaf(CK_SESSION_HANDLE session) const {
  const auto id = attribute(session, private_key(session), CKA_ID);
  Template wanted;
  wanted.number(CKA_CLASS, CKO_CERTIFICATE).bytes(CKA_ID, id.value_or(Bytes{}));
  const auto found = find(session, wanted);
  EXPECT_EQ(found.size(), 1U);
  return found.empty() ? CK_INVALID_HANDLE : found.front();
}

std::optional<Bytes> Conformance::attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                            CK_ATTRIBUTE_TYPE type) const {
  CK_ATTRIBUTE wanted{type, nullptr, 0};
  if (f_->C_GetAttributeValue(session, object, &wanted, 1) != CKR_OK) return std::nullopt;
  Bytes value(wanted.ulValueLen);
  wanted.pValue = value.data();
  if (f_->C_GetAttributeValue(session, object, &wanted, 1) != CKR_OK) return std::nullopt;
  value.resize(wanted.ulValueLen);
  return value;
}

std::optional<CK_ULONG> Conformance::number(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                            CK_ATTRIBUTE_TYPE type) const {
  const auto value = attribute(session, object, type);
  CK_ULONG number = 0;
  if (!value || value->size() != sizeof number) return std::nullopt;
  std::memcpy(&number, value->data(), sizeof number);
  return number;
}

std::optional<bool> Conformance::flag(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                      CK_ATTRIBUTE_TYPE type) const {
  const auto value = attribute(session, object, type);
  if (!value || value->size() != sizeof(CK_BBOOL) || value->front() > CK_TRUE) return std::nullopt;
  return value->front() == CK_TRUE;
}

std::vector<CK_MECHANISM_TYPE> Conformance::mechanisms() const {
  CK_ULONG count = 0;
  EXPECT_THAT(f_->C_GetMechanismList(slot_, nullptr, &count), ok());
  std::vector<CK_MECHANISM_TYPE> list(count);
  EXPECT_THAT(f_->C_GetMechanismList(slot_, list.data(), &count), ok());
  list.resize(count);
  return list;
}

CK_MECHANISM_INFO Conformance::mechanism_info(CK_MECHANISM_TYPE type) const {
  CK_MECHANISM_INFO info{};
  EXPECT_THAT(f_->C_GetMechanismInfo(slot_, type, &info), ok()) << mechanism_name(type);
  return info;
}

bool Conformance::listed(CK_MECHANISM_TYPE type) const {
  const auto list = mechanisms();
  return std::ranges::find(list, type) != list.end();
}

CK_MECHANISM Conformance::signing_mechanism() const {
  if (store().rsa()) return plain(CKM_SHA256_RSA_PKCS);
  if (store().edwards()) return plain(CKM_EDDSA);
  return plain(store().ours() ? CKM_ECDSA_SHA256 : CKM_ECDSA);  // SoftHSM 2.6 has no other
}

std::string unpadded(std::span<const unsigned char> field) {
  std::string text(reinterpret_cast<const char*>(field.data()), field.size());
  const auto end = text.find_last_not_of(' ');
  text.resize(end == std::string::npos ? 0 : end + 1);
  return text;
}

Bytes some_bytes(std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(i * 131 + 7);
  return bytes;
}

}  // namespace devtrust::testing
