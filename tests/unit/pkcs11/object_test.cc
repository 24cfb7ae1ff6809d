#include "pkcs11/object.h"

#include <gtest/gtest.h>

#include <array>

namespace devtrust::pkcs11 {
namespace {

SecureBytes secret_bytes() { return {1, 2, 3, 4}; }

Object make_object() {
  return {7,
          {text(CKA_LABEL, "name"), number(CKA_CLASS, CKO_PRIVATE_KEY), flag(CKA_SIGN, true), flag(CKA_PRIVATE, false),
           text(CKA_START_DATE, ""), Attribute{CKA_PRIVATE_EXPONENT, {}, true}}};
}

TEST(Object, KnowsItsClassAndFlags) {
  const Object object = make_object();
  EXPECT_EQ(object.handle(), 7U);
  EXPECT_EQ(object.object_class(), CKO_PRIVATE_KEY);
  EXPECT_TRUE(object.is(CKA_SIGN));
  EXPECT_FALSE(object.is(CKA_DECRYPT));
  EXPECT_FALSE(object.is(CKA_LABEL));
  EXPECT_FALSE(object.is_private());
}

// The five cases of C_GetAttributeValue.
TEST(Object, ReadsAnAttribute) {
  const Object object = make_object();
  std::array<char, 8> room{};

  CK_ATTRIBUTE sensitive{CKA_PRIVATE_EXPONENT, room.data(), room.size()};
  EXPECT_EQ(object.read(sensitive), CKR_ATTRIBUTE_SENSITIVE);
  EXPECT_EQ(sensitive.ulValueLen, CK_UNAVAILABLE_INFORMATION);

  CK_ATTRIBUTE unknown{CKA_MODULUS, nullptr, 0};
  EXPECT_EQ(object.read(unknown), CKR_ATTRIBUTE_TYPE_INVALID);
  EXPECT_EQ(unknown.ulValueLen, CK_UNAVAILABLE_INFORMATION);

  CK_ATTRIBUTE length{CKA_LABEL, nullptr, 0};
  EXPECT_EQ(object.read(length), CKR_OK);
  EXPECT_EQ(length.ulValueLen, 4U);

  CK_ATTRIBUTE whole{CKA_LABEL, room.data(), room.size()};
  EXPECT_EQ(object.read(whole), CKR_OK);
  EXPECT_EQ(std::string(room.data(), whole.ulValueLen), "name");

  CK_ATTRIBUTE small{CKA_LABEL, room.data(), 3};
  EXPECT_EQ(object.read(small), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(small.ulValueLen, CK_UNAVAILABLE_INFORMATION);

  CK_ATTRIBUTE empty{CKA_START_DATE, room.data(), 0};
  EXPECT_EQ(object.read(empty), CKR_OK);
  EXPECT_EQ(empty.ulValueLen, 0U);
}

TEST(Object, MatchesTemplates) {
  const Object object = make_object();
  CK_OBJECT_CLASS key = CKO_PRIVATE_KEY;
  CK_OBJECT_CLASS certificate = CKO_CERTIFICATE;
  std::string label = "name";
  std::string longer = "name2";
  const CK_ATTRIBUTE is_key{CKA_CLASS, &key, sizeof key};
  const CK_ATTRIBUTE is_certificate{CKA_CLASS, &certificate, sizeof certificate};
  const CK_ATTRIBUTE is_named{CKA_LABEL, label.data(), to_ulong(label.size())};

  EXPECT_TRUE(object.matches({}));
  EXPECT_TRUE(object.matches(std::array{is_key, is_named}));
  EXPECT_FALSE(object.matches(std::array{is_named, is_certificate}));
  EXPECT_FALSE(object.matches(std::array{CK_ATTRIBUTE{CKA_LABEL, longer.data(), to_ulong(longer.size())}}));
  EXPECT_FALSE(object.matches(std::array{CK_ATTRIBUTE{CKA_LABEL, label.data(), CK_UNAVAILABLE_INFORMATION}}));
  EXPECT_FALSE(object.matches(std::array{CK_ATTRIBUTE{CKA_MODULUS, label.data(), 0}}))
      << "an attribute that is not there";
  EXPECT_FALSE(object.matches(std::array{CK_ATTRIBUTE{CKA_PRIVATE_EXPONENT, nullptr, 0}})) << "a secret is no answer";
  EXPECT_TRUE(object.matches(std::array{CK_ATTRIBUTE{CKA_START_DATE, nullptr, 0}}));
}

TEST(Object, GivesASecretOnlyWhereItMay) {
  const auto make = [](bool sensitive, bool extractable) {
    return Object(
        1, {number(CKA_CLASS, CKO_SECRET_KEY), flag(CKA_SENSITIVE, sensitive), flag(CKA_EXTRACTABLE, extractable)},
        nullptr, std::nullopt, secret_bytes());
  };
  std::array<std::uint8_t, 4> room{};
  CK_ATTRIBUTE value{CKA_VALUE, room.data(), room.size()};
  EXPECT_EQ(make(false, true).read(value), CKR_OK);
  EXPECT_EQ(value.ulValueLen, 4U);
  EXPECT_EQ(room, (std::array<std::uint8_t, 4>{1, 2, 3, 4}));
  for (const auto& [sensitive, extractable] : {std::pair(true, true), std::pair(false, false)}) {
    value.ulValueLen = room.size();
    EXPECT_EQ(make(sensitive, extractable).read(value), CKR_ATTRIBUTE_SENSITIVE);
    EXPECT_FALSE(make(sensitive, extractable).matches(std::array{CK_ATTRIBUTE{CKA_VALUE, room.data(), room.size()}}));
  }
}

TEST(Template, IsCheckedBeforeItIsRead) {
  EXPECT_TRUE(checked_template(nullptr, 0));
  EXPECT_EQ(checked_template(nullptr, 1).error().rv, CKR_ARGUMENTS_BAD);
  const CK_ATTRIBUTE broken{CKA_LABEL, nullptr, 5};
  EXPECT_EQ(checked_template(&broken, 1).error().rv, CKR_ARGUMENTS_BAD);
  CK_BBOOL yes = CK_TRUE;
  CK_ULONG five = 5;
  EXPECT_EQ(template_flag({CKA_TOKEN, &yes, sizeof yes}), true);
  EXPECT_EQ(template_flag({CKA_TOKEN, &five, sizeof five}), std::nullopt);
  EXPECT_EQ(template_number({CKA_CLASS, &five, sizeof five}), 5U);
  EXPECT_EQ(template_number({CKA_CLASS, &five, sizeof five / 2}), std::nullopt);
}

}  // namespace
}  // namespace devtrust::pkcs11
