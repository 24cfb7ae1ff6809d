// PKCS#11 3.0 §5.6 "Session management functions".
#include "tests/conformance/fixture.h"

namespace devtrust::testing {
namespace {

class Sessions : public Conformance {
 protected:
  CK_SESSION_INFO info(CK_SESSION_HANDLE session) const {
    CK_SESSION_INFO info{};
    EXPECT_THAT(f_->C_GetSessionInfo(session, &info), ok());
    return info;
  }
};

TEST_P(Sessions, OpenChecksItsArguments) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  EXPECT_THAT(f_->C_OpenSession(slot_, 0, nullptr, nullptr, &session), RvIs(CKR_SESSION_PARALLEL_NOT_SUPPORTED));
  EXPECT_THAT(f_->C_OpenSession(slot_, CKF_RW_SESSION, nullptr, nullptr, &session),
              RvIs(CKR_SESSION_PARALLEL_NOT_SUPPORTED));
  EXPECT_THAT(f_->C_OpenSession(slot_ + 4711, CKF_SERIAL_SESSION, nullptr, nullptr, &session),
              RvIs(CKR_SLOT_ID_INVALID));
  EXPECT_THAT(f_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, nullptr), RvIs(CKR_ARGUMENTS_BAD));
}

TEST_P(Sessions, ReadOnlyAndReadWrite) {
  const CK_SESSION_HANDLE reading = open();
  const CK_SESSION_HANDLE writing = open(CKF_RW_SESSION);
  EXPECT_NE(reading, CK_INVALID_HANDLE);
  EXPECT_NE(reading, writing);
  EXPECT_EQ(info(reading).slotID, slot_);
  EXPECT_EQ(info(reading).flags, CK_FLAGS{CKF_SERIAL_SESSION});
  EXPECT_EQ(info(writing).flags, CK_FLAGS{CKF_SERIAL_SESSION | CKF_RW_SESSION});
  EXPECT_EQ(info(writing).ulDeviceError, 0U);
  EXPECT_EQ(info(reading).state, CKS_RO_PUBLIC_SESSION);
  EXPECT_EQ(info(writing).state, CKS_RW_PUBLIC_SESSION);
}

TEST_P(Sessions, TheApplicationsPointerAndCallbackAreTaken) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  const CK_NOTIFY notify = [](CK_SESSION_HANDLE, CK_NOTIFICATION, CK_VOID_PTR) -> CK_RV { return CKR_OK; };
  EXPECT_THAT(f_->C_OpenSession(slot_, CKF_SERIAL_SESSION, this, notify, &session), ok());
}

TEST_P(Sessions, Close) {
  const CK_SESSION_HANDLE session = open();
  const CK_SESSION_HANDLE other = open();
  CK_SESSION_INFO info{};
  EXPECT_THAT(f_->C_CloseSession(session), ok());
  EXPECT_THAT(f_->C_CloseSession(session), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_GetSessionInfo(session, &info), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_GetSessionInfo(other, &info), ok());
  EXPECT_THAT(f_->C_CloseSession(CK_INVALID_HANDLE), RvIs(CKR_SESSION_HANDLE_INVALID));
}

TEST_P(Sessions, CloseAll) {
  const CK_SESSION_HANDLE first = open();
  const CK_SESSION_HANDLE second = open(CKF_RW_SESSION);
  EXPECT_THAT(f_->C_CloseAllSessions(slot_), ok());
  CK_SESSION_INFO info{};
  EXPECT_THAT(f_->C_GetSessionInfo(first, &info), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_GetSessionInfo(second, &info), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_CloseAllSessions(slot_), ok()) << "there may be none";
  EXPECT_THAT(f_->C_CloseAllSessions(slot_ + 4711), RvIs(CKR_SLOT_ID_INVALID));
}

TEST_P(Sessions, AHandleIsNotUsedAgainSoon) {
  if (!store().ours()) return;
  const CK_SESSION_HANDLE first = open();
  EXPECT_THAT(f_->C_CloseSession(first), ok());
  EXPECT_NE(open(), first) << "a host that closes a session twice would close another's";
}

TEST_P(Sessions, Info) {
  const CK_SESSION_HANDLE session = open();
  CK_SESSION_INFO info{};
  EXPECT_THAT(f_->C_GetSessionInfo(session, nullptr), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GetSessionInfo(session + 4711, &info), RvIs(CKR_SESSION_HANDLE_INVALID));
}

TEST_P(Sessions, ManyAtOnce) {
  std::vector<CK_SESSION_HANDLE> sessions;
  for (int i = 0; i < 500; ++i) sessions.push_back(open());
  std::ranges::sort(sessions);
  EXPECT_EQ(std::ranges::adjacent_find(sessions), sessions.end());
  EXPECT_EQ(find(sessions.front(), CKO_CERTIFICATE).size(), find(sessions.back(), CKO_CERTIFICATE).size());
}

TEST_P(Sessions, OperationStateIsNotSaved) {
  if (!holds(Rule::kStateIsNotSaved)) return;
  const CK_SESSION_HANDLE session = open();
  CK_ULONG length = 0;
  EXPECT_THAT(f_->C_GetOperationState(session, nullptr, &length), RvIs(CKR_OPERATION_NOT_INITIALIZED));
  CK_MECHANISM mechanism = plain(CKM_SHA256);
  ASSERT_THAT(f_->C_DigestInit(session, &mechanism), ok());
  EXPECT_THAT(f_->C_GetOperationState(session, nullptr, &length), RvIs(CKR_STATE_UNSAVEABLE));
  EXPECT_THAT(f_->C_GetOperationState(session, nullptr, nullptr), RvIs(CKR_ARGUMENTS_BAD));
  Bytes state = some_bytes(16);
  EXPECT_THAT(f_->C_SetOperationState(session, state.data(), state.size(), 0, 0), RvIs(CKR_SAVED_STATE_INVALID));
  EXPECT_THAT(f_->C_SetOperationState(session, nullptr, 4, 0, 0), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GetOperationState(session + 4711, nullptr, &length), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_SetOperationState(session + 4711, state.data(), state.size(), 0, 0),
              RvIs(CKR_SESSION_HANDLE_INVALID));
}

INSTANTIATE_TEST_SUITE_P(Stores, Sessions, ::testing::ValuesIn(strict_stores()), store_name);

/// Logging in. PKCS#11 3.0 §5.6.8 to §5.6.10.
class Login : public Sessions {
 protected:
  void TearDown() override { Sessions::TearDown(); }
};

TEST_P(Login, TheSecurityOfficerIsUnknown) {
  if (!holds(Rule::kNoSecurityOfficer)) return;
  const CK_SESSION_HANDLE session = open(CKF_RW_SESSION);
  EXPECT_THAT(login(session, "whatever", CKU_SO), RvIs(CKR_USER_TYPE_INVALID));
  EXPECT_THAT(login(session, "whatever", 4711), RvIs(CKR_USER_TYPE_INVALID));
  EXPECT_THAT(login(session, "whatever", CKU_CONTEXT_SPECIFIC), RvIs(CKR_OPERATION_NOT_INITIALIZED));
}

TEST_P(Login, Arguments) {
  const CK_SESSION_HANDLE session = open();
  EXPECT_THAT(login(session + 4711, store().password), RvIs(CKR_SESSION_HANDLE_INVALID));
  EXPECT_THAT(f_->C_Logout(session + 4711), RvIs(CKR_SESSION_HANDLE_INVALID));
  if (holds(Rule::kLogoutOfNobody)) {
    EXPECT_THAT(f_->C_Logout(session), RvIs(CKR_USER_NOT_LOGGED_IN));
  }
  EXPECT_THAT(f_->C_Login(session, CKU_USER, nullptr, 4), RvIs(CKR_ARGUMENTS_BAD));
  if (store().ours()) {
    EXPECT_THAT(login(session, std::string(100000, 'x')), RvIs(CKR_PIN_LEN_RANGE));
    EXPECT_THAT(f3_->C_LoginUser(session, CKU_USER, nullptr, 4, nullptr, 0), RvIs(CKR_ARGUMENTS_BAD));
    EXPECT_THAT(f3_->C_LoginUser(session, CKU_USER, nullptr, 0, nullptr, 4), RvIs(CKR_ARGUMENTS_BAD));
    EXPECT_THAT(f3_->C_LoginUser(session + 4711, CKU_USER, nullptr, 0, nullptr, 0), RvIs(CKR_SESSION_HANDLE_INVALID));
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, Login, ::testing::ValuesIn(strict_stores()), store_name);

class LoginWithPassword : public Sessions {};

TEST_P(LoginWithPassword, WrongPassword) {
  const CK_SESSION_HANDLE session = open();
  for (const std::string_view wrong : {"wrong horse", "correct horse ", "correct hors"}) {
    EXPECT_THAT(login(session, wrong), RvIs(CKR_PIN_INCORRECT)) << wrong;
  }
  EXPECT_THAT(login(session, ""), (RvIs{CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE, CKR_ARGUMENTS_BAD}));
  EXPECT_EQ(info(session).state, CKS_RO_PUBLIC_SESSION);
  EXPECT_THAT(login(session, store().password), ok()) << "a wrong password locks nothing";
}

TEST_P(LoginWithPassword, ConcernsAllSessions) {
  const CK_SESSION_HANDLE reading = open();
  const CK_SESSION_HANDLE writing = open(CKF_RW_SESSION);
  ASSERT_THAT(login(reading, store().password), ok());
  EXPECT_EQ(info(reading).state, CKS_RO_USER_FUNCTIONS);
  EXPECT_EQ(info(writing).state, CKS_RW_USER_FUNCTIONS);
  EXPECT_EQ(info(open()).state, CKS_RO_USER_FUNCTIONS);
  EXPECT_THAT(login(writing, store().password), RvIs(CKR_USER_ALREADY_LOGGED_IN));
  EXPECT_THAT(f_->C_Logout(writing), ok());
  EXPECT_EQ(info(reading).state, CKS_RO_PUBLIC_SESSION);
  if (holds(Rule::kLogoutOfNobody)) {
    EXPECT_THAT(f_->C_Logout(writing), RvIs(CKR_USER_NOT_LOGGED_IN));
  }
}

TEST_P(LoginWithPassword, PrivateObjectsAreSeenAfterItOnly) {
  const CK_SESSION_HANDLE session = open();
  EXPECT_THAT(find(session, CKO_PRIVATE_KEY), ::testing::IsEmpty());
  EXPECT_THAT(find(session, CKO_CERTIFICATE), ::testing::Not(::testing::IsEmpty())) << "certificates are public";
  ASSERT_THAT(login(session, store().password), ok());
  const CK_OBJECT_HANDLE key = private_key(session);
  EXPECT_EQ(flag(session, key, CKA_PRIVATE), true);
  CK_MECHANISM mechanism = signing_mechanism();
  ASSERT_THAT(f_->C_SignInit(open(), &mechanism, key), ok());
  ASSERT_THAT(f_->C_Logout(session), ok());
  EXPECT_THAT(find(session, CKO_PRIVATE_KEY), ::testing::IsEmpty());
  Bytes value(8);
  CK_ATTRIBUTE wanted{CKA_CLASS, value.data(), value.size()};
  EXPECT_THAT(f_->C_GetAttributeValue(session, key, &wanted, 1), RvIs(CKR_OBJECT_HANDLE_INVALID))
      << "a private object's handle dies with the login";
  EXPECT_THAT(f_->C_SignInit(session, &mechanism, key),
              (RvIs{CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID, CKR_OPERATION_ACTIVE, CKR_USER_NOT_LOGGED_IN}));
}

TEST_P(LoginWithPassword, APrivateObjectsHandleDoesNotComeBackWithTheNextLogin) {
  const CK_SESSION_HANDLE session = open();
  ASSERT_THAT(login(session, store().password), ok());
  const CK_OBJECT_HANDLE key = private_key(session);
  ASSERT_THAT(f_->C_Logout(session), ok());
  ASSERT_THAT(login(session, store().password), ok());
  // PKCS#11 3.0 §5.6.10: "all private token objects' handles become invalid"; a search gives new ones
  CK_ULONG size = 0;
  EXPECT_THAT(f_->C_GetObjectSize(session, key, &size), RvIs(CKR_OBJECT_HANDLE_INVALID));
  EXPECT_NE(private_key(session), key);
}

TEST_P(LoginWithPassword, ASearchBegunBeforeTheLogoutGivesNothingPrivate) {
  if (!holds(Rule::kSearchEndsWithLogin)) return;
  const CK_SESSION_HANDLE session = open();
  ASSERT_THAT(login(session, store().password), ok());
  Template wanted;
  wanted.number(CKA_CLASS, CKO_PRIVATE_KEY);
  ASSERT_THAT(f_->C_FindObjectsInit(session, wanted.data(), wanted.size()), ok());
  ASSERT_THAT(f_->C_Logout(session), ok());
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  CK_ULONG count = 0;
  EXPECT_THAT(f_->C_FindObjects(session, &key, 1, &count), (RvIs{CKR_OK, CKR_OPERATION_NOT_INITIALIZED}));
  EXPECT_EQ(count, 0U);
}

TEST_P(LoginWithPassword, TheLastSessionTakesItAway) {
  const CK_SESSION_HANDLE first = open();
  const CK_SESSION_HANDLE second = open();
  ASSERT_THAT(login(first, store().password), ok());
  EXPECT_THAT(f_->C_CloseSession(first), ok());
  EXPECT_EQ(info(second).state, CKS_RO_USER_FUNCTIONS);
  EXPECT_THAT(f_->C_CloseSession(second), ok());
  const CK_SESSION_HANDLE third = open();
  EXPECT_EQ(info(third).state, CKS_RO_PUBLIC_SESSION);
  ASSERT_THAT(login(third, store().password), ok());
  EXPECT_THAT(f_->C_CloseAllSessions(slot_), ok());
  EXPECT_EQ(info(open()).state, CKS_RO_PUBLIC_SESSION);
}

TEST_P(LoginWithPassword, WithoutAUserName) {
  if (f3_ == nullptr || !store().ours()) return;
  const CK_SESSION_HANDLE session = open();
  const std::string_view pin = store().password;
  const std::string_view name = "someone";
  EXPECT_THAT(f3_->C_LoginUser(session, CKU_USER, mutable_text(pin), pin.size(), mutable_text(name), name.size()),
              RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f3_->C_LoginUser(session, CKU_USER, mutable_text("wrong"), 5, nullptr, 0), RvIs(CKR_PIN_INCORRECT));
  EXPECT_THAT(f3_->C_LoginUser(session, CKU_USER, mutable_text(pin), pin.size(), nullptr, 0), ok());
  EXPECT_EQ(info(session).state, CKS_RO_USER_FUNCTIONS);
}

INSTANTIATE_TEST_SUITE_P(Stores, LoginWithPassword, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return !store.password.empty() && store.strict();
                         })),
                         store_name);

class LoginWithoutPassword : public Sessions {};

TEST_P(LoginWithoutPassword, EverythingIsThereWithoutIt) {
  const CK_SESSION_HANDLE session = open();
  const CK_OBJECT_HANDLE key = private_key(session);
  if (store().ours()) {
    EXPECT_EQ(flag(session, key, CKA_PRIVATE), false);
  }
  CK_MECHANISM mechanism = signing_mechanism();
  EXPECT_THAT(f_->C_SignInit(session, &mechanism, key), ok());
}

TEST_P(LoginWithoutPassword, IsWelcomeAllTheSame) {
  if (!store().ours()) return;
  for (const std::string_view pin : {std::string_view(), std::string_view(""), std::string_view("whatever")}) {
    const CK_SESSION_HANDLE session = open(CKF_RW_SESSION);
    const CK_OBJECT_HANDLE before = private_key(session);
    EXPECT_THAT(login(session, pin), ok());
    EXPECT_EQ(info(session).state, CKS_RW_USER_FUNCTIONS);
    EXPECT_THAT(login(session, pin), RvIs(CKR_USER_ALREADY_LOGGED_IN));
    EXPECT_EQ(private_key(session), before) << "what is public keeps its handle";
    EXPECT_THAT(f_->C_Logout(session), ok());
    EXPECT_EQ(info(session).state, CKS_RW_PUBLIC_SESSION);
    EXPECT_EQ(private_key(session), before);
    EXPECT_THAT(f_->C_CloseSession(session), ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, LoginWithoutPassword, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.password.empty() && store.strict();
                         })),
                         store_name);

}  // namespace
}  // namespace devtrust::testing
