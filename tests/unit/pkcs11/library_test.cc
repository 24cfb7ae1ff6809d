#include "pkcs11/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/pkcs11/fake_store.h"

namespace devtrust::pkcs11 {
namespace {

using ::testing::ElementsAre;
using testing::FakeLogin;
using testing::field_text;
using ::testing::IsEmpty;

class LibraryTest : public testing::StoreTest {
 protected:
  static ObjectPtr key_of(Library& library, Slot& slot) {
    for (const ObjectPtr& object : library.view(slot)->objects) {
      if (object->object_class() == CKO_PRIVATE_KEY) return object;
    }
    return nullptr;
  }
  static Slot& slot(Library& library, CK_SLOT_ID id = 1) { return *library.find_slot(id).value(); }
  static CK_RV event(Library& library) {
    const auto id = library.wait_for_slot_event(false);
    return id ? *id : id.error().rv;
  }
};

TEST_F(LibraryTest, HasOneEmptyTokenWhereNothingIsFound) {
  const auto library = make_library();
  EXPECT_THAT(library->list_slots(true), ElementsAre(1));
  EXPECT_EQ(field_text(slot(*library).token_info().label), "No device-trust identity");
  const ViewPtr view = library->view(slot(*library));
  EXPECT_EQ(view->objects.size(), 1U) << "the profile object";
  EXPECT_EQ(view->description, "No certificate with a private key found");
  EXPECT_THAT(view->keys, IsEmpty());
  EXPECT_EQ(library->find_slot(0).error().rv, CKR_SLOT_ID_INVALID);
  EXPECT_EQ(library->find_slot(2).error().rv, CKR_SLOT_ID_INVALID);
}

TEST_F(LibraryTest, TokenSaysWhatIsWrongWithTheConfiguration) {
  const auto library = std::make_unique<Library>(
      std::make_unique<Catalog>(std::vector<std::unique_ptr<StoreSource>>{}, std::vector<Profile>{}),
      std::make_unique<const Audit>("", false), false, "/etc/devtrust/config.toml:3:1: no such key");
  const CK_SLOT_INFO info = slot(*library).slot_info(*library->view(slot(*library)));
  EXPECT_EQ(field_text(info.slotDescription), "/etc/devtrust/config.toml:3:1: no such key");
  EXPECT_EQ(field_text(slot(*library).token_info().label), "Device trust is misconfigured");
}

TEST_F(LibraryTest, FirstProfileTakesThePlaceholdersSlot) {
  const auto library = make_library();
  ASSERT_THAT(library->list_slots(true), ElementsAre(1));
  const CK_SESSION_HANDLE session = library->open_session(slot(*library), false);
  EXPECT_EQ(event(*library), CKR_NO_EVENT);

  hold({enrol()});
  EXPECT_EQ(event(*library), 1U);
  EXPECT_EQ(event(*library), CKR_NO_EVENT);
  EXPECT_EQ(library->find_session(session), nullptr);
  EXPECT_THAT(library->list_slots(true), ElementsAre(1));
  EXPECT_EQ(field_text(slot(*library).token_info().label), built_in_profiles().front().label);
  EXPECT_EQ(slot(*library).token_info().ulSessionCount, 0U);
}

TEST_F(LibraryTest, FurtherProfilesGetFurtherSlots) {
  hold({enrol()});
  const auto library = make_library();
  ASSERT_THAT(library->list_slots(true), ElementsAre(1));
  Profile other;
  other.name = "other";
  other.label = "Other";
  other.built_in = true;
  other.matches.push_back({});
  other.matches.back().subject_cn = "Other*";
  const auto both = make_library(false, {configured().front(), other});
  ASSERT_THAT(both->list_slots(true), ElementsAre(1));
  testing::LeafOptions options;
  options.key = "ec:P-256";
  options.common_name = "Other device";
  hold({enrol(), enrol(options)});
  EXPECT_EQ(event(*both), 2U);
  EXPECT_THAT(both->list_slots(false), ElementsAre(1)) << "the list stays as it was counted";
  EXPECT_THAT(both->list_slots(true), ElementsAre(1, 2));
  EXPECT_EQ(field_text(slot(*both, 2).token_info().label), "Other");
}

TEST_F(LibraryTest, RenewalIsNoEventAndLeavesSessionsAlone) {
  hold({enrol("ec:P-256", -10, 20)});
  const auto library = make_library();
  const CK_SESSION_HANDLE handle = library->open_session(slot(*library), false);
  const SessionPtr session = library->find_session(handle);
  const ObjectPtr before = key_of(*library, slot(*library));
  ASSERT_TRUE(session->find_object(before->handle()));

  hold({enrol("ec:P-256", -1, 30)});
  const ObjectPtr after = key_of(*library, slot(*library));
  ASSERT_TRUE(after);
  EXPECT_NE(after->handle(), before->handle());
  EXPECT_EQ(event(*library), CKR_NO_EVENT);
  EXPECT_EQ(library->find_session(handle), session);
  EXPECT_EQ(session->find_object(before->handle()).value(), before) << "the session has seen it";
}

TEST_F(LibraryTest, HandleOutlivesItsIdentityAsLongAsASessionHasSeenIt) {
  hold({enrol("ec:P-256", -10, 20)});
  const auto library = make_library();
  const CK_SESSION_HANDLE one = library->open_session(slot(*library), false);
  const CK_SESSION_HANDLE two = library->open_session(slot(*library), false);
  const CK_OBJECT_HANDLE key = key_of(*library, slot(*library))->handle();
  ASSERT_TRUE(library->find_session(one)->find_object(key));
  hold({enrol("ec:P-256", -1, 30)});
  (void)library->view(slot(*library));
  const CK_SESSION_HANDLE three = library->open_session(slot(*library), false);
  EXPECT_TRUE(library->find_session(two)->find_object(key)) << "NSS finds in one session and signs in another";
  EXPECT_TRUE(library->close_session(one));
  EXPECT_TRUE(library->find_session(three)->find_object(key)) << "two has seen it now";
  EXPECT_TRUE(library->close_session(two));
  EXPECT_TRUE(library->close_session(three));
  EXPECT_EQ(library->find_session(library->open_session(slot(*library), false))->find_object(key).error().rv,
            CKR_OBJECT_HANDLE_INVALID);
}

TEST_F(LibraryTest, SessionsHaveTheirOwnHandles) {
  hold({enrol()});
  const auto library = make_library();
  const CK_SESSION_HANDLE one = library->open_session(slot(*library), false);
  const CK_SESSION_HANDLE two = library->open_session(slot(*library), true);
  EXPECT_NE(one, two);
  EXPECT_EQ(library->find_session(one)->info().state, CKS_RO_PUBLIC_SESSION);
  EXPECT_EQ(library->find_session(two)->info().state, CKS_RW_PUBLIC_SESSION);
  EXPECT_TRUE(library->close_session(one));
  EXPECT_EQ(library->close_session(one).error().rv, CKR_SESSION_HANDLE_INVALID);
  library->close_all_sessions(slot(*library));
  EXPECT_EQ(library->find_session(two), nullptr);
  EXPECT_EQ(slot(*library).token_info().ulSessionCount, 0U);
}

TEST_F(LibraryTest, LoginNeedsNoPasswordWhereThereIsNone) {
  hold({enrol()});
  const auto library = make_library();
  const CK_SESSION_HANDLE session = library->open_session(slot(*library), false);
  EXPECT_EQ(library->logout(slot(*library)).error().rv, CKR_USER_NOT_LOGGED_IN);
  EXPECT_TRUE(library->login(slot(*library), "whatever"));
  EXPECT_EQ(library->find_session(session)->info().state, CKS_RO_USER_FUNCTIONS);
  EXPECT_EQ(library->login(slot(*library), {}).error().rv, CKR_USER_ALREADY_LOGGED_IN);
  EXPECT_TRUE(library->logout(slot(*library)));
  EXPECT_TRUE(library->login(slot(*library), {}));
}

TEST_F(LibraryTest, LoginUnlocksTheStoreAndLogoutLocksIt) {
  const auto login = std::make_shared<FakeLogin>("secret");
  hold({enrol()}, login);
  const auto library = make_library();
  const CK_SESSION_HANDLE session = library->open_session(slot(*library), false);
  EXPECT_EQ(library->login(slot(*library), "wrong").error().rv, CKR_PIN_INCORRECT);
  EXPECT_EQ(library->login(slot(*library), {}).error().rv, CKR_ARGUMENTS_BAD);
  EXPECT_FALSE(slot(*library).logged_in());
  EXPECT_EQ(key_of(*library, slot(*library)), nullptr);

  EXPECT_TRUE(library->login(slot(*library), "secret"));
  EXPECT_TRUE(login->unlocked());
  const ObjectPtr key = key_of(*library, slot(*library));
  ASSERT_TRUE(key);
  ASSERT_TRUE(library->find_session(session)->find_object(key->handle()));
  EXPECT_EQ(library->login(slot(*library), "secret").error().rv, CKR_USER_ALREADY_LOGGED_IN);

  EXPECT_TRUE(library->logout(slot(*library)));
  EXPECT_FALSE(login->unlocked());
  EXPECT_FALSE(library->find_session(session)->find_object(key->handle()));
  EXPECT_TRUE(library->login(slot(*library), "secret"));
  EXPECT_FALSE(library->find_session(session)->find_object(key->handle())) << "an old handle stays invalid";
}

TEST_F(LibraryTest, LastSessionLogsOut) {
  const auto login = std::make_shared<FakeLogin>("secret");
  hold({enrol()}, login);
  const auto library = make_library();
  const CK_SESSION_HANDLE one = library->open_session(slot(*library), false);
  const CK_SESSION_HANDLE two = library->open_session(slot(*library), false);
  ASSERT_TRUE(library->login(slot(*library), "secret"));
  EXPECT_TRUE(library->close_session(one));
  EXPECT_TRUE(slot(*library).logged_in());
  EXPECT_TRUE(library->close_session(two));
  EXPECT_FALSE(slot(*library).logged_in());
  EXPECT_FALSE(login->unlocked());
}

TEST_F(LibraryTest, StoreThatARenewalLockedCanBeUnlockedAgain) {
  hold({enrol()}, std::make_shared<FakeLogin>("old"));
  const auto library = make_library();
  library->open_session(slot(*library), false);
  ASSERT_TRUE(library->login(slot(*library), "old"));
  const auto login = std::make_shared<FakeLogin>("new");
  hold({enrol("ec:P-256", -1, 30)}, login);
  EXPECT_TRUE(library->login(slot(*library), "new"));
  EXPECT_TRUE(login->unlocked());
  EXPECT_EQ(library->login(slot(*library), "new").error().rv, CKR_USER_ALREADY_LOGGED_IN);
}

TEST_F(LibraryTest, TokenIsReplacedWhereItsFlagsChange) {
  hold({enrol()});
  const auto library = make_library();
  const CK_SESSION_HANDLE session = library->open_session(slot(*library), false);
  EXPECT_EQ(slot(*library).token_info().flags & CKF_LOGIN_REQUIRED, 0U);
  hold({enrol()}, std::make_shared<FakeLogin>("secret"));
  EXPECT_EQ(event(*library), 1U);
  EXPECT_EQ(slot(*library).token_info().flags & CKF_LOGIN_REQUIRED, CKF_LOGIN_REQUIRED);
  EXPECT_EQ(library->find_session(session), nullptr);
}

TEST_F(LibraryTest, StopWakesWhoWaitsForAnEvent) {
  const auto library = make_library();
  CK_RV answered = CKR_OK;
  std::thread waiting([&] { answered = library->wait_for_slot_event(true).error().rv; });
  library->stop();
  waiting.join();
  EXPECT_EQ(answered, CKR_CRYPTOKI_NOT_INITIALIZED);
}

TEST_F(LibraryTest, BlockedWaitSeesAnInsertion) {
  const auto library = make_library();
  library->list_slots(true);
  std::thread enrolling([this] { hold({enrol()}); });
  EXPECT_EQ(library->wait_for_slot_event(true).value(), 1U);
  enrolling.join();
}

}  // namespace
}  // namespace devtrust::pkcs11
