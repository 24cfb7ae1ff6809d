#include "pkcs11/slot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/pkcs11/fake_store.h"

namespace devtrust::pkcs11 {
namespace {

using testing::field_text;
using ::testing::StartsWith;
using testing::text_of;

TEST(FillField, PadsAndNeverCutsACharacter) {
  const auto filled = [](std::string_view text) {
    unsigned char field[8];
    fill_field(field, text);
    return std::string(std::begin(field), std::end(field));
  };
  EXPECT_EQ(filled(""), "        ");
  EXPECT_EQ(filled("abc"), "abc     ");
  EXPECT_EQ(filled("12345678"), "12345678");
  EXPECT_EQ(filled("123456789"), "12345…");
  EXPECT_EQ(filled("1234ä6789"), "1234… ");
}

class SlotTest : public testing::StoreTest {
 protected:
  Slot make_slot() {
    const auto snapshot = catalog_->snapshot();
    const Profile& profile = snapshot->profiles().at(0);
    return {1, Slot::token_of(*snapshot, profile, testing::now_seconds(), {}), false, "", handles_};
  }
  ViewPtr view(Slot& slot, Time now = testing::now_seconds()) { return slot.view(catalog_->snapshot(), now); }

  static ObjectPtr of_class(const View& view, CK_OBJECT_CLASS object_class) {
    const auto found = std::ranges::find(view.objects, object_class, [](const auto& o) { return o->object_class(); });
    return found != view.objects.end() ? *found : nullptr;
  }

  std::unique_ptr<Catalog> catalog_ = make_catalog(configured());
  HandleCounter handles_{1000};
};

TEST_F(SlotTest, ShowsTheCurrentIdentity) {
  const auto enrolled = enrol();
  hold({enrolled});
  Slot slot = make_slot();
  const ViewPtr shown = view(slot);
  EXPECT_EQ(shown->objects.size(), 6U);  // a profile object, a key pair, a leaf and two issuers
  EXPECT_EQ(shown->description, "fake, /fake/store");
  const ObjectPtr key = of_class(*shown, CKO_PRIVATE_KEY);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->identity()->leaf, enrolled.leaf);
  EXPECT_EQ(slot.find(key->handle()), key);
  EXPECT_EQ(slot.find(999), nullptr);
}

TEST_F(SlotTest, KeepsItsViewWhileNothingChanges) {
  hold({enrol()});
  Slot slot = make_slot();
  const ViewPtr first = view(slot);
  EXPECT_EQ(view(slot), first);
  EXPECT_EQ(view(slot, testing::now_seconds() + std::chrono::hours(1)), first);
}

TEST_F(SlotTest, IsEmptyFromTheMomentOfExpiry) {
  const auto enrolled = enrol();
  hold({enrolled});
  Slot slot = make_slot();
  const Time end = enrolled.leaf->not_after();
  EXPECT_TRUE(of_class(*view(slot, end), CKO_PRIVATE_KEY));
  const ViewPtr after = view(slot, end + std::chrono::seconds(1));
  EXPECT_FALSE(of_class(*after, CKO_PRIVATE_KEY));
  EXPECT_EQ(after->objects.size(), 1U) << "the profile object stays";
  EXPECT_EQ(after->keys.size(), 1U) << "its mechanisms stay too";
  EXPECT_THAT(view(slot, end + std::chrono::days(3))->description, StartsWith("Expired 3 days ago: /fake/store"));
  EXPECT_TRUE(of_class(*view(slot, end), CKO_PRIVATE_KEY)) << "the clock was set back";
}

TEST_F(SlotTest, LooksAgainWhenAnIdentityBecomesValid) {
  const auto current = enrol("ec:P-256", -10, 20);
  const auto next = enrol("ec:P-256", 5, 30);
  hold({current, next});
  Slot slot = make_slot();
  EXPECT_EQ(of_class(*view(slot), CKO_PRIVATE_KEY)->identity()->leaf, current.leaf);
  EXPECT_EQ(of_class(*view(slot, next.leaf->not_before()), CKO_PRIVATE_KEY)->identity()->leaf, next.leaf);
}

TEST_F(SlotTest, WhatDidNotChangeKeepsItsHandle) {
  const auto first = enrol();
  hold({first});
  Slot slot = make_slot();
  const ViewPtr before = view(slot);
  hold({first, enrol("ec:P-256", -1, 30)});
  const ViewPtr after = view(slot);
  ASSERT_NE(before, after);
  EXPECT_NE(of_class(*before, CKO_PRIVATE_KEY)->handle(), of_class(*after, CKO_PRIVATE_KEY)->handle());
  EXPECT_EQ(before->objects[4]->handle(), after->objects[4]->handle());
  EXPECT_EQ(before->objects[4], after->objects[4]) << "an intermediate that is the same is the same object";
  EXPECT_EQ(slot.find(of_class(*before, CKO_PRIVATE_KEY)->handle()), of_class(*before, CKO_PRIVATE_KEY))
      << "somebody still holds it";
}

TEST_F(SlotTest, ForgetsWhatNobodyHolds) {
  const auto first = enrol();
  const auto second = enrol("ec:P-256", -1, 30);
  hold({first});
  Slot slot = make_slot();
  CK_OBJECT_HANDLE handle = of_class(*view(slot), CKO_PRIVATE_KEY)->handle();
  std::set<CK_OBJECT_HANDLE> given{handle};
  for (int i = 0; i < 50; ++i) {
    hold({second});
    (void)view(slot);
    EXPECT_EQ(slot.find(handle), nullptr);
    hold({first});
    handle = of_class(*view(slot), CKO_PRIVATE_KEY)->handle();
    EXPECT_TRUE(given.insert(handle).second) << "a handle is never used again";
  }
}

TEST_F(SlotTest, SameKeyUnderANewCertificateKeepsItsHandle) {
  const auto first = enrol();
  hold({first});
  Slot slot = make_slot();
  const ViewPtr before = view(slot);
  hold({first});  // read again: other objects of the same content
  const ViewPtr after = view(slot);
  for (std::size_t i = 0; i < before->objects.size(); ++i) {
    EXPECT_EQ(before->objects[i]->handle(), after->objects[i]->handle());
  }
}

TEST_F(SlotTest, PrivateKeyAppearsWithTheLogin) {
  hold({enrol()}, std::make_shared<testing::FakeLogin>("secret"));
  Slot slot = make_slot();
  EXPECT_TRUE(slot.token().login_required);
  EXPECT_FALSE(of_class(*view(slot), CKO_PRIVATE_KEY));
  EXPECT_TRUE(of_class(*view(slot), CKO_PUBLIC_KEY));
  EXPECT_TRUE(of_class(*view(slot), CKO_CERTIFICATE));
  slot.set_logged_in();
  const ObjectPtr key = of_class(*view(slot), CKO_PRIVATE_KEY);
  ASSERT_TRUE(key);
  const CK_OBJECT_HANDLE certificate = of_class(*view(slot), CKO_CERTIFICATE)->handle();
  slot.set_logged_out();
  EXPECT_EQ(slot.find(key->handle()), nullptr);
  EXPECT_FALSE(of_class(*view(slot), CKO_PRIVATE_KEY));
  EXPECT_EQ(of_class(*view(slot), CKO_CERTIFICATE)->handle(), certificate);
  slot.set_logged_in();
  EXPECT_NE(of_class(*view(slot), CKO_PRIVATE_KEY)->handle(), key->handle());
}

TEST_F(SlotTest, ShowsAllWhereTheProfileSaysSo) {
  catalog_ = make_catalog(configured(Show::kAll));
  const auto older = enrol("ec:P-256", -10, 20);
  const auto newer = enrol("ec:P-256", -1, 30);
  hold({older, newer});
  Slot slot = make_slot();
  const ViewPtr shown = view(slot);
  EXPECT_EQ(shown->objects.size(), 9U) << "the chain is there once";
  std::vector<std::string> labels;
  for (const ObjectPtr& object : shown->objects) {
    if (object->object_class() == CKO_PRIVATE_KEY) labels.push_back(text_of(*object, CKA_LABEL).value());
  }
  ASSERT_EQ(labels.size(), 2U);
  EXPECT_EQ(labels[0], built_in_profiles().front().label);
  EXPECT_THAT(labels[1], StartsWith(labels[0] + ' '));
}

TEST_F(SlotTest, TellsOfItsToken) {
  hold({enrol()});
  Slot slot = make_slot();
  slot.session_opened(1, false);
  slot.session_opened(2, true);
  const CK_TOKEN_INFO info = slot.token_info();
  EXPECT_EQ(field_text(info.label), built_in_profiles().front().label);
  EXPECT_EQ(field_text(info.manufacturerID), "devtrust");
  EXPECT_EQ(field_text(info.serialNumber).size(), 16U);
  EXPECT_EQ(info.flags, CKF_RNG | CKF_WRITE_PROTECTED | CKF_TOKEN_INITIALIZED);
  EXPECT_EQ(info.ulSessionCount, 2U);
  EXPECT_EQ(info.ulRwSessionCount, 1U);
  const Slot other(2, {"another", "Another", true, true}, false, "", handles_);
  EXPECT_NE(field_text(other.token_info().serialNumber), field_text(info.serialNumber));
  EXPECT_EQ(other.token_info().flags & (CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED),
            CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED);
}

TEST_F(SlotTest, TokenKeepsWhatNothingContradicts) {
  hold({enrol()}, std::make_shared<testing::FakeLogin>("secret"));
  const auto with = catalog_->snapshot();
  const Profile profile = with->profiles().at(0);
  const TokenIdentity token = Slot::token_of(*with, profile, testing::now_seconds(), {});
  EXPECT_TRUE(token.login_required);
  EXPECT_TRUE(token.has_keys);
  catalog_ = make_catalog(configured());
  hold({});
  EXPECT_EQ(Slot::token_of(*catalog_->snapshot(), profile, testing::now_seconds(), token), token)
      << "an empty store is no reason to take the token out";
}

TEST_F(SlotTest, SessionObjectsDieWithTheirSession) {
  hold({enrol()});
  Slot slot = make_slot();
  slot.session_opened(1, false);
  const auto attributes = [] {
    return std::vector{number(CKA_CLASS, CKO_SECRET_KEY), flag(CKA_TOKEN, false), flag(CKA_PRIVATE, false)};
  };
  const auto made = slot.add_session_object(1, attributes(), {1, 2});
  ASSERT_TRUE(made);
  EXPECT_EQ(slot.find((*made)->handle()), *made);
  EXPECT_EQ(slot.session_objects().size(), 1U);
  EXPECT_FALSE(slot.destroy_session_object((*made)->handle() + 1));
  slot.session_closed(1);
  EXPECT_EQ(slot.find((*made)->handle()), nullptr);
  EXPECT_EQ(slot.add_session_object(1, attributes(), {1, 2}).error().rv, CKR_SESSION_HANDLE_INVALID);
}

}  // namespace
}  // namespace devtrust::pkcs11
