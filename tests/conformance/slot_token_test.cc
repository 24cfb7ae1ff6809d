// PKCS#11 3.0 §5.5 "Slot and token management functions".
#include <algorithm>
#include <cstring>
#include <future>
#include <thread>

#include "tests/conformance/fixture.h"

namespace devtrust::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

constexpr CK_FLAGS kBinaryFields = CK_FLAGS{1} << 21;  // CKF_EC_F_2M, which p11-kit leaves out

class SlotToken : public Conformance {
 protected:
  CK_TOKEN_INFO token_info() const {
    CK_TOKEN_INFO info{};
    EXPECT_THAT(f_->C_GetTokenInfo(slot_, &info), ok());
    return info;
  }
};

/// Blank-padded UTF-8 without a NUL or a control character.
void expect_field(std::span<const unsigned char> field) {
  const std::string text = unpadded(field);
  EXPECT_TRUE(std::ranges::all_of(text, [](const char c) { return static_cast<unsigned char>(c) >= ' '; })) << text;
  // a character cut in two
  std::size_t continuation = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (continuation > 0) {
      EXPECT_EQ(byte & 0xc0U, 0x80U) << text;
      --continuation;
    } else if (byte >= 0xc0) {
      continuation = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    }
  }
  EXPECT_EQ(continuation, 0U) << text;
}

TEST_P(SlotToken, SlotList) {
  CK_ULONG count = 0;
  ASSERT_THAT(f_->C_GetSlotList(CK_FALSE, nullptr, &count), ok());
  ASSERT_GE(count, 1U);
  std::vector<CK_SLOT_ID> slots(count + 2);
  CK_ULONG room = count - 1;
  EXPECT_THAT(f_->C_GetSlotList(CK_FALSE, slots.data(), &room), RvIs(CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(room, count);
  room = count;
  ASSERT_THAT(f_->C_GetSlotList(CK_FALSE, slots.data(), &room), ok());
  EXPECT_EQ(room, count);
  room = count + 2;
  ASSERT_THAT(f_->C_GetSlotList(CK_TRUE, slots.data(), &room), ok());
  EXPECT_LE(room, count);
  slots.resize(room);
  EXPECT_THAT(slots, ::testing::Contains(slot_));
  std::ranges::sort(slots);
  EXPECT_EQ(std::ranges::adjacent_find(slots), slots.end()) << "a slot is listed twice";
  EXPECT_THAT(f_->C_GetSlotList(CK_FALSE, slots.data(), nullptr), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GetSlotList(CK_FALSE, nullptr, nullptr), RvIs(CKR_ARGUMENTS_BAD));
}

TEST_P(SlotToken, OnlyTheProfilesTokenIsThere) {
  if (!store().ours()) return;
  CK_ULONG count = 0;
  ASSERT_THAT(f_->C_GetSlotList(CK_TRUE, nullptr, &count), ok());
  EXPECT_EQ(count, 1U);
}

TEST_P(SlotToken, SlotInfo) {
  CK_SLOT_INFO info;
  std::memset(&info, 0, sizeof info);
  ASSERT_THAT(f_->C_GetSlotInfo(slot_, &info), ok());
  EXPECT_TRUE(info.flags & CKF_TOKEN_PRESENT);
  EXPECT_FALSE(info.flags & ~CK_FLAGS{CKF_TOKEN_PRESENT | CKF_REMOVABLE_DEVICE | CKF_HW_SLOT});
  expect_field(info.slotDescription);
  expect_field(info.manufacturerID);
  EXPECT_THAT(unpadded(info.slotDescription), Not(IsEmpty()));
  if (store().ours()) {
    EXPECT_FALSE(info.flags & CKF_HW_SLOT);
    EXPECT_EQ(info.flags & CKF_REMOVABLE_DEVICE, CKF_REMOVABLE_DEVICE) << "NSS asks such a token again";
  }
  EXPECT_THAT(f_->C_GetSlotInfo(slot_, nullptr), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GetSlotInfo(slot_ + 4711, &info), RvIs(CKR_SLOT_ID_INVALID));
}

TEST_P(SlotToken, TokenInfo) {
  const CK_TOKEN_INFO info = token_info();
  for (const auto field :
       {std::span<const unsigned char>(info.label), std::span<const unsigned char>(info.manufacturerID),
        std::span<const unsigned char>(info.model), std::span<const unsigned char>(info.serialNumber)}) {
    expect_field(field);
  }
  EXPECT_EQ(unpadded(info.label), built_->token_label);
  EXPECT_TRUE(info.flags & CKF_TOKEN_INITIALIZED);
  EXPECT_LE(info.ulMinPinLen, info.ulMaxPinLen);
  const bool password = !store().password.empty();
  EXPECT_EQ((info.flags & CKF_LOGIN_REQUIRED) != 0, password);
  EXPECT_EQ((info.flags & CKF_USER_PIN_INITIALIZED) != 0, password);
  EXPECT_FALSE(info.flags & CKF_PROTECTED_AUTHENTICATION_PATH);
  EXPECT_FALSE(info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED));
  if (store().ours()) {
    EXPECT_TRUE(info.flags & CKF_RNG);
    EXPECT_TRUE(info.flags & CKF_WRITE_PROTECTED);
    EXPECT_FALSE(info.flags & CKF_CLOCK_ON_TOKEN);
    EXPECT_THAT(unpadded(info.serialNumber), Not(IsEmpty()));
    EXPECT_EQ(unpadded(info.label).find(':'), std::string::npos) << "NSS takes what is before a colon for a token";
  }
  CK_TOKEN_INFO other{};
  EXPECT_THAT(f_->C_GetTokenInfo(slot_, nullptr), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GetTokenInfo(slot_ + 4711, &other), RvIs(CKR_SLOT_ID_INVALID));
}

TEST_P(SlotToken, TheTokenStaysTheSame) {
  const CK_TOKEN_INFO before = token_info();
  ASSERT_THAT(f_->C_Finalize(nullptr), ok());
  initialize();
  ASSERT_EQ(find_slot(), slot_);
  const CK_TOKEN_INFO after = token_info();
  EXPECT_EQ(unpadded(before.serialNumber), unpadded(after.serialNumber));
  EXPECT_EQ(unpadded(before.model), unpadded(after.model));
  EXPECT_EQ(unpadded(before.manufacturerID), unpadded(after.manufacturerID));
  EXPECT_EQ(before.flags, after.flags);
}

TEST_P(SlotToken, SessionsAreCounted) {
  const auto counted = [](CK_ULONG count) { return count != CK_UNAVAILABLE_INFORMATION; };
  const CK_TOKEN_INFO none = token_info();
  const CK_SESSION_HANDLE first = open();
  open(CKF_RW_SESSION);
  const CK_TOKEN_INFO two = token_info();
  if (store().ours()) {
    ASSERT_TRUE(counted(none.ulSessionCount) && counted(none.ulRwSessionCount));
  }
  if (counted(none.ulSessionCount)) {
    EXPECT_EQ(two.ulSessionCount, none.ulSessionCount + 2);
    EXPECT_EQ(two.ulRwSessionCount, none.ulRwSessionCount + 1);
    EXPECT_THAT(f_->C_CloseSession(first), ok());
    EXPECT_EQ(token_info().ulSessionCount, none.ulSessionCount + 1);
    EXPECT_THAT(f_->C_CloseAllSessions(slot_), ok());
    EXPECT_EQ(token_info().ulSessionCount, 0U);
  }
}

TEST_P(SlotToken, MechanismList) {
  CK_ULONG count = 0;
  ASSERT_THAT(f_->C_GetMechanismList(slot_, nullptr, &count), ok());
  ASSERT_GT(count, 0U);
  std::vector<CK_MECHANISM_TYPE> list(count + 2);
  CK_ULONG room = count - 1;
  EXPECT_THAT(f_->C_GetMechanismList(slot_, list.data(), &room), RvIs(CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(room, count);
  room = list.size();
  ASSERT_THAT(f_->C_GetMechanismList(slot_, list.data(), &room), ok());
  EXPECT_EQ(room, count);
  list.resize(room);
  std::ranges::sort(list);
  EXPECT_EQ(std::ranges::adjacent_find(list), list.end()) << "a mechanism is listed twice";
  EXPECT_THAT(f_->C_GetMechanismList(slot_, list.data(), nullptr), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_GetMechanismList(slot_ + 4711, nullptr, &count), RvIs(CKR_SLOT_ID_INVALID));
}

TEST_P(SlotToken, MechanismListIsThatOfTheKey) {
  if (!store().ours()) return;
  std::vector<CK_MECHANISM_TYPE> expected = {CKM_SHA_1, CKM_SHA224, CKM_SHA256, CKM_SHA384, CKM_SHA512};
  const auto add = [&expected](std::initializer_list<CK_MECHANISM_TYPE> more) {
    expected.insert(expected.end(), more);
  };
  const bool csp = store().place == KeptBy::kCsp;
  const bool cng = store().place == KeptBy::kCng;
  // nss_mixed shows an RSA key, and has an expired EC one that may become the only one
  if (store().rsa()) {
    add({CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP, CKM_SHA1_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS,
         CKM_SHA512_RSA_PKCS});
    if (!csp) {
      add({CKM_SHA224_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA1_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS,
           CKM_SHA384_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS_PSS});
    }
    if (!csp && !cng) add({CKM_RSA_X_509, CKM_SHA224_RSA_PKCS_PSS});
  }
  if (store().ec() || store().name == "nss_mixed") {
    add({CKM_ECDSA, CKM_ECDSA_SHA1, CKM_ECDSA_SHA224, CKM_ECDSA_SHA256, CKM_ECDSA_SHA384, CKM_ECDSA_SHA512});
    if (!cng) add({CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE});
  }
  if (store().edwards()) add({CKM_EDDSA});
  const auto names = [](const std::vector<CK_MECHANISM_TYPE>& types) {
    std::vector<std::string> list;
    for (const CK_MECHANISM_TYPE type : types) list.push_back(mechanism_name(type));
    return list;
  };
  EXPECT_THAT(names(mechanisms()), ::testing::UnorderedElementsAreArray(names(expected)));
}

TEST_P(SlotToken, MechanismInfo) {
  for (const CK_MECHANISM_TYPE type : mechanisms()) {
    const CK_MECHANISM_INFO info = mechanism_info(type);
    EXPECT_LE(info.ulMinKeySize, info.ulMaxKeySize) << mechanism_name(type);
    EXPECT_NE(info.flags & ~CK_FLAGS{CKF_HW}, 0U) << mechanism_name(type);
  }
  CK_MECHANISM_INFO info{};
  for (const CK_MECHANISM_TYPE type : named_mechanisms()) {
    if (listed(type)) continue;
    EXPECT_THAT(f_->C_GetMechanismInfo(slot_, type, &info), RvIs(CKR_MECHANISM_INVALID)) << mechanism_name(type);
  }
  EXPECT_THAT(f_->C_GetMechanismInfo(slot_, CKM_VENDOR_DEFINED | 0x4711, &info), RvIs(CKR_MECHANISM_INVALID));
  EXPECT_THAT(f_->C_GetMechanismInfo(slot_ + 4711, CKM_SHA256, &info), RvIs(CKR_SLOT_ID_INVALID));
  EXPECT_THAT(f_->C_GetMechanismInfo(slot_, CKM_SHA256, nullptr), RvIs(CKR_ARGUMENTS_BAD));
}

TEST_P(SlotToken, MechanismInfoSaysWhatTheKeyCanDo) {
  if (!store().ours()) return;
  const auto flags = [this](CK_MECHANISM_TYPE type) {
    return mechanism_info(type).flags &
           (CKF_SIGN | CKF_VERIFY | CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER | CKF_ENCRYPT | CKF_DECRYPT | CKF_DERIVE |
            CKF_DIGEST | CKF_WRAP | CKF_UNWRAP | CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_HW);
  };
  EXPECT_EQ(flags(CKM_SHA256), CK_FLAGS{CKF_DIGEST});
  if (store().rsa()) {
    const CK_FLAGS both = CKF_SIGN | CKF_VERIFY;
    const CK_FLAGS recover = holds(Rule::kRecover) ? CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER : 0;
    EXPECT_EQ(flags(CKM_RSA_PKCS), both | recover | CKF_ENCRYPT | CKF_DECRYPT);
    EXPECT_EQ(listed(CKM_RSA_X_509), holds(Rule::kRawRsa));
    if (listed(CKM_RSA_X_509)) {
      EXPECT_EQ(flags(CKM_RSA_X_509), both | recover | CKF_ENCRYPT | CKF_DECRYPT);
    }
    EXPECT_EQ(flags(CKM_RSA_PKCS_OAEP), CK_FLAGS{CKF_ENCRYPT | CKF_DECRYPT});
    EXPECT_EQ(flags(CKM_SHA256_RSA_PKCS), both);
    EXPECT_EQ(listed(CKM_RSA_PKCS_PSS), store().place != KeptBy::kCsp);
    if (listed(CKM_RSA_PKCS_PSS)) {
      EXPECT_EQ(flags(CKM_RSA_PKCS_PSS), both);
    }
    const CK_MECHANISM_INFO info = mechanism_info(CKM_RSA_PKCS);
    EXPECT_LE(info.ulMinKeySize, 2048U);
    EXPECT_GE(info.ulMaxKeySize, 4096U);
  }
  if (store().ec()) {
    EXPECT_EQ(flags(CKM_ECDSA), CK_FLAGS{CKF_SIGN | CKF_VERIFY});
    EXPECT_EQ(listed(CKM_ECDH1_DERIVE), store().place != KeptBy::kCng);
    if (listed(CKM_ECDH1_DERIVE)) {
      EXPECT_EQ(flags(CKM_ECDH1_DERIVE), CK_FLAGS{CKF_DERIVE});
    }
    const CK_MECHANISM_INFO info = mechanism_info(CKM_ECDSA);
    EXPECT_EQ(info.flags & (CKF_EC_F_P | kBinaryFields), CK_FLAGS{CKF_EC_F_P});
    EXPECT_TRUE(info.flags & CKF_EC_NAMEDCURVE);
    EXPECT_TRUE(info.flags & CKF_EC_UNCOMPRESS);
    EXPECT_EQ(info.ulMinKeySize, 256U);
    EXPECT_EQ(info.ulMaxKeySize, 521U);
  }
  if (store().edwards()) {
    EXPECT_EQ(flags(CKM_EDDSA), CK_FLAGS{CKF_SIGN | CKF_VERIFY});
  }
}

TEST_P(SlotToken, SlotEvents) {
  CK_SLOT_ID slot = 0;
  if (!holds(Rule::kSlotEvents)) return;
  EXPECT_THAT(f_->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, nullptr), RvIs(CKR_NO_EVENT));
  EXPECT_THAT(f_->C_WaitForSlotEvent(CKF_DONT_BLOCK, nullptr, nullptr), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, this), RvIs(CKR_ARGUMENTS_BAD));
}

TEST_P(SlotToken, FinalizeWakesWhoeverWaitsForAnEvent) {
  if (!holds(Rule::kSlotEvents)) return;
  CK_RV rv = CKR_OK;
  std::promise<void> begun;
  std::thread waiting([&] {
    CK_SLOT_ID slot = 0;
    begun.set_value();
    rv = f_->C_WaitForSlotEvent(0, &slot, nullptr);
  });
  begun.get_future().wait();
  EXPECT_THAT(f_->C_Finalize(nullptr), ok());
  waiting.join();
  EXPECT_THAT(rv, RvIs(CKR_CRYPTOKI_NOT_INITIALIZED));
}

TEST_P(SlotToken, TheTokenCannotBeInitialised) {
  if (!holds(Rule::kNoWrites)) return;
  std::string label(32, ' ');
  const std::string_view pin = "security officer";
  EXPECT_THAT(f_->C_InitToken(slot_, mutable_text(pin), pin.size(), mutable_text(label)),
              RvIs(CKR_TOKEN_WRITE_PROTECTED));
  EXPECT_THAT(f_->C_InitToken(slot_ + 4711, mutable_text(pin), pin.size(), mutable_text(label)),
              RvIs(CKR_SLOT_ID_INVALID));
  EXPECT_THAT(f_->C_InitToken(slot_, nullptr, 4, mutable_text(label)), RvIs(CKR_ARGUMENTS_BAD));
  const CK_SESSION_HANDLE reading = open();
  const CK_SESSION_HANDLE writing = open(CKF_RW_SESSION);
  const std::string_view other = "another";
  EXPECT_THAT(f_->C_SetPIN(reading, mutable_text(pin), pin.size(), mutable_text(other), other.size()),
              RvIs(CKR_SESSION_READ_ONLY));
  EXPECT_THAT(f_->C_SetPIN(writing, mutable_text(pin), pin.size(), mutable_text(other), other.size()),
              RvIs(CKR_TOKEN_WRITE_PROTECTED));
  EXPECT_THAT(f_->C_InitPIN(writing, mutable_text(pin), pin.size()),
              (RvIs{CKR_TOKEN_WRITE_PROTECTED, CKR_USER_NOT_LOGGED_IN}));
  EXPECT_THAT(f_->C_InitPIN(CK_INVALID_HANDLE, mutable_text(pin), pin.size()), RvIs(CKR_SESSION_HANDLE_INVALID));
}

INSTANTIATE_TEST_SUITE_P(Stores, SlotToken, ::testing::ValuesIn(strict_stores()), store_name);

}  // namespace
}  // namespace devtrust::testing
