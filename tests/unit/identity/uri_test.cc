#include "identity/uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace devtrust {
namespace {

using testing::HasSubstr;
using testing::Not;

Uri good(std::string_view text) {
  auto uri = parse_uri(text);
  EXPECT_TRUE(uri) << text << ": " << uri.error().message;
  return uri ? *std::move(uri) : Uri{};
}

std::string wrong(std::string_view text) {
  const auto uri = parse_uri(text);
  EXPECT_FALSE(uri) << text;
  if (uri) return "";
  EXPECT_EQ(uri.error().code, ErrorCode::kInvalidArgument);
  return uri.error().message;
}

std::string pin_of(const Uri& uri) { return uri.pin_value ? std::string(as_text(*uri.pin_value)) : "(none)"; }

TEST(Uri, DevtrustNamesAProfileOrNone) {
  EXPECT_EQ(good("devtrust:").profile, "");
  EXPECT_EQ(good("devtrust:").scheme, UriScheme::kDevtrust);
  EXPECT_EQ(good("devtrust:jumpcloud").profile, "jumpcloud");
  EXPECT_EQ(good("DevTrust:jump%2Dcloud-2").profile, "jump-cloud-2");
}

TEST(Uri, DevtrustTakesAPassword) {
  EXPECT_EQ(pin_of(good("devtrust:?pin-value=a%20b")), "a b");
  EXPECT_EQ(good("devtrust:okta?pin-source=file:/run/pin").pin_source, "file:/run/pin");
  EXPECT_EQ(good("devtrust:okta?").profile, "okta");
}

TEST(Uri, ProfilesNamesAreChecked) {
  EXPECT_THAT(wrong("devtrust:Jump"), HasSubstr("character 10"));
  EXPECT_THAT(wrong("devtrust://jumpcloud"), HasSubstr("devtrust:jumpcloud"));
  EXPECT_THAT(wrong("devtrust:jump;type=cert"), HasSubstr("does not name a profile"));
  EXPECT_THAT(wrong("devtrust:?module-name=x"), HasSubstr("known are pin-source and pin-value"));
}

TEST(Uri, OtherSchemesAreNone) {
  for (const char* text : {"", "devtrust", "pkcs11", "file:/etc/passwd", "devtrust;", ":", "pkcs12:x"}) {
    EXPECT_THAT(wrong(text), HasSubstr("begins neither"));
  }
}

TEST(Uri, Pkcs11TakesEveryAttribute) {
  const Uri uri = good(
      "pkcs11:token=A%20token;manufacturer=m;model=o;serial=00%3b1;object=an%3Dobject;id=%00%FFz;type=private;"
      "slot-id=18446744073709551615;slot-manufacturer=sm;slot-description=sd;library-manufacturer=lm;"
      "library-description=ld;library-version=3.12?module-name=n&module-path=/p&pin-source=/etc/pin");
  EXPECT_EQ(uri.scheme, UriScheme::kPkcs11);
  EXPECT_EQ(uri.token, "A token");
  EXPECT_EQ(uri.manufacturer, "m");
  EXPECT_EQ(uri.model, "o");
  EXPECT_EQ(uri.serial, "00;1");
  EXPECT_EQ(uri.object, "an=object");
  EXPECT_EQ(uri.id, (Bytes{0, 0xFF, 'z'}));
  EXPECT_EQ(uri.type, UriType::kPrivateKey);
  EXPECT_EQ(uri.slot_id, 18446744073709551615U);
  EXPECT_EQ(uri.slot_manufacturer, "sm");
  EXPECT_EQ(uri.slot_description, "sd");
  EXPECT_EQ(uri.library_manufacturer, "lm");
  EXPECT_EQ(uri.library_description, "ld");
  EXPECT_EQ(uri.library_version, "3.12");
  EXPECT_EQ(uri.module_name, "n");
  EXPECT_EQ(uri.module_path, "/p");
  EXPECT_EQ(uri.pin_source, "/etc/pin");
  EXPECT_FALSE(uri.pin_value);
}

TEST(Uri, WhatIsNotMentionedIsUnset) {
  const Uri uri = good("pkcs11:");
  EXPECT_FALSE(uri.token || uri.object || uri.id || uri.type || uri.slot_id || uri.pin_source);
  EXPECT_EQ(good("pkcs11:token=").token, "");
  EXPECT_EQ(good("pkcs11:?pin-value=").pin_value->size(), 0U);
}

TEST(Uri, TypesAreThoseOfTheStandard) {
  EXPECT_EQ(good("pkcs11:type=cert").type, UriType::kCertificate);
  EXPECT_EQ(good("pkcs11:type=data").type, UriType::kData);
  EXPECT_EQ(good("pkcs11:type=public").type, UriType::kPublicKey);
  EXPECT_EQ(good("pkcs11:type=secret-key").type, UriType::kSecretKey);
  EXPECT_THAT(wrong("pkcs11:token=x;type=Cert"), HasSubstr("type at character 21"));
}

TEST(Uri, UnknownAttributesAreNamedByTheirPlace) {
  EXPECT_THAT(wrong("pkcs11:token=x;tokn=y"), HasSubstr("unknown attribute at character 16"));
  EXPECT_THAT(wrong("pkcs11:x-vendor=y"), HasSubstr("known are token, manufacturer"));
  EXPECT_THAT(wrong("pkcs11:Token=y"), HasSubstr("unknown attribute at character 8"));
  EXPECT_THAT(wrong("pkcs11:pin-value=secret"), Not(HasSubstr("secret, ")));
  EXPECT_THAT(wrong("pkcs11:?token=y"), HasSubstr("known are pin-source, pin-value, module-name and module-path"));
}

TEST(Uri, DuplicatesAreNamedByTheirPlace) {
  EXPECT_EQ(wrong("pkcs11:token=a;object=o;token=a"), "the URI has token a second time at character 25");
  EXPECT_EQ(wrong("pkcs11:?pin-source=/a&pin-source=/b"), "the URI has pin-source a second time at character 23");
  EXPECT_THAT(wrong("pkcs11:?pin-source=/a&pin-value=b"), HasSubstr("both pin-value and pin-source"));
}

TEST(Uri, AttributesNeedValues) {
  EXPECT_EQ(wrong("pkcs11:token"), "the URI has no NAME=VALUE at character 8");
  EXPECT_EQ(wrong("pkcs11:token=x;"), "the URI has no NAME=VALUE at character 16");
  EXPECT_EQ(wrong("pkcs11:token=x;;object=y"), "the URI has no NAME=VALUE at character 16");
  EXPECT_EQ(wrong("pkcs11:token=x?pin-value"), "the URI has no NAME=VALUE at character 16");
  EXPECT_EQ(wrong("pkcs11:?pin-value=1&"), "the URI has no NAME=VALUE at character 21");
}

TEST(Uri, EscapesAreCheckedAndNamedByTheirPlace) {
  EXPECT_THAT(wrong("pkcs11:token=ab%2"), HasSubstr("at character 16"));
  EXPECT_THAT(wrong("pkcs11:token=%"), HasSubstr("at character 14"));
  EXPECT_THAT(wrong("pkcs11:id=%0g"), HasSubstr("at character 11"));
  EXPECT_THAT(wrong("pkcs11:token=My Token"), HasSubstr("at character 16: a space is written %20"));
  EXPECT_THAT(wrong("devtrust:a\n"), HasSubstr("at character 11"));
  EXPECT_EQ(good("pkcs11:object=%41+\xC3\xA4%c3%A4").object, "A+\xC3\xA4\xC3\xA4");
}

TEST(Uri, NumbersAreChecked) {
  for (const char* text : {"pkcs11:slot-id=", "pkcs11:slot-id=-1", "pkcs11:slot-id=0x1", "pkcs11:slot-id=1%31",
                           "pkcs11:slot-id=18446744073709551616"}) {
    EXPECT_THAT(wrong(text), HasSubstr("slot-id at character 16")) << text;
  }
  EXPECT_EQ(good("pkcs11:library-version=255").library_version, "255");
  for (const char* version : {"", ".", "1.", ".1", "256", "1.256", "1.2.3", "a", "-1", "2%332", "1%2E2"}) {
    EXPECT_THAT(wrong("pkcs11:library-version=" + std::string(version)), HasSubstr("character 24")) << version;
  }
}

TEST(Uri, MessagesRepeatNoValue) {
  for (const char* text : {"pkcs11:?pin-value=hush hush", "pkcs11:?pin-value=hush%2", "pkcs11:hush=1", "devtrust:HUSH",
                           "pkcs11:?pin-value=hush&hush=hush", "pkcs11:type=hush", "pkcs11:slot-id=hush"}) {
    EXPECT_THAT(wrong(text), Not(testing::AnyOf(HasSubstr("hush"), HasSubstr("HUSH")))) << text;
  }
}

TEST(Uri, TooLongIsRefused) { EXPECT_THAT(wrong("pkcs11:object=" + std::string(20000, 'x')), HasSubstr("16 KiB")); }

}  // namespace
}  // namespace devtrust
