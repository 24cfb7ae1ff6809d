// p11-kit, which POSIX's systems have, reads URIs as we do.
#include <gtest/gtest.h>
#include <p11-kit/uri.h>

#include <array>
#include <memory>
#include <ostream>

#include "identity/uri.h"

namespace devtrust {
namespace {

Uri good(std::string_view text) {
  auto uri = parse_uri(text);
  EXPECT_TRUE(uri) << text << ": " << uri.error().message;
  return uri ? *std::move(uri) : Uri{};
}

struct Case {
  const char* name;
  const char* text;
  friend std::ostream& operator<<(std::ostream& out, const Case& self) { return out << self.name; }
};

class UriOracle : public testing::TestWithParam<Case> {};

// p11-kit reads each of these as we do.
TEST_P(UriOracle, P11KitAgrees) {
  const Uri uri = good(GetParam().text);
  const std::unique_ptr<P11KitUri, decltype(&p11_kit_uri_free)> theirs(p11_kit_uri_new(), p11_kit_uri_free);
  ASSERT_EQ(p11_kit_uri_parse(GetParam().text, P11_KIT_URI_FOR_ANY, theirs.get()), P11_KIT_URI_OK);
  EXPECT_EQ(p11_kit_uri_any_unrecognized(theirs.get()), 0);

  const auto attribute = [&](CK_ATTRIBUTE_TYPE type) -> std::optional<std::string> {
    const CK_ATTRIBUTE* found = p11_kit_uri_get_attribute(theirs.get(), type);
    if (found == nullptr) return std::nullopt;
    return std::string(static_cast<const char*>(found->pValue), found->ulValueLen);
  };
  const auto text = [](const char* value) {
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  };
  // p11-kit's fields are padded with blanks; one that was not mentioned is all zero.
  const auto field = [](const unsigned char* value, std::size_t size) -> std::optional<std::string> {
    if (value[0] == 0) return std::nullopt;
    std::string padded(reinterpret_cast<const char*>(value), size);
    return padded.substr(0, padded.find_last_not_of(' ') + 1);
  };
  const CK_TOKEN_INFO* token = p11_kit_uri_get_token_info(theirs.get());
  const CK_SLOT_INFO* slot = p11_kit_uri_get_slot_info(theirs.get());
  const CK_INFO* module = p11_kit_uri_get_module_info(theirs.get());
  EXPECT_EQ(uri.token, field(token->label, sizeof token->label));
  EXPECT_EQ(uri.manufacturer, field(token->manufacturerID, sizeof token->manufacturerID));
  EXPECT_EQ(uri.model, field(token->model, sizeof token->model));
  EXPECT_EQ(uri.serial, field(token->serialNumber, sizeof token->serialNumber));
  EXPECT_EQ(uri.slot_manufacturer, field(slot->manufacturerID, sizeof slot->manufacturerID));
  EXPECT_EQ(uri.slot_description, field(slot->slotDescription, sizeof slot->slotDescription));
  EXPECT_EQ(uri.library_manufacturer, field(module->manufacturerID, sizeof module->manufacturerID));
  EXPECT_EQ(uri.library_description, field(module->libraryDescription, sizeof module->libraryDescription));
  EXPECT_EQ(uri.slot_id.value_or(CK_UNAVAILABLE_INFORMATION), p11_kit_uri_get_slot_id(theirs.get()));
  EXPECT_EQ(uri.object, attribute(CKA_LABEL));
  EXPECT_EQ(uri.id ? std::optional<std::string>(as_text(*uri.id)) : std::nullopt, attribute(CKA_ID));
  EXPECT_EQ(uri.pin_value ? std::optional<std::string>(as_text(*uri.pin_value)) : std::nullopt,
            text(p11_kit_uri_get_pin_value(theirs.get())));
  EXPECT_EQ(uri.pin_source, text(p11_kit_uri_get_pin_source(theirs.get())));
  EXPECT_EQ(uri.module_name, text(p11_kit_uri_get_module_name(theirs.get())));
  EXPECT_EQ(uri.module_path, text(p11_kit_uri_get_module_path(theirs.get())));
  const auto kind = attribute(CKA_CLASS);
  ASSERT_EQ(uri.type.has_value(), kind.has_value());
  if (kind) {
    static constexpr std::array<CK_OBJECT_CLASS, 5> kClasses{CKO_CERTIFICATE, CKO_DATA, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY,
                                                             CKO_SECRET_KEY};
    EXPECT_EQ(*kind, std::string(reinterpret_cast<const char*>(&kClasses.at(static_cast<std::size_t>(*uri.type))),
                                 sizeof(CK_OBJECT_CLASS)));
  }
  if (uri.library_version) {
    EXPECT_EQ(*uri.library_version,
              std::to_string(module->libraryVersion.major) + "." + std::to_string(module->libraryVersion.minor));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Uris, UriOracle,
    testing::Values(
        Case{"Empty", "pkcs11:"}, Case{"EmptyQuery", "pkcs11:?"},
        Case{"Token", "pkcs11:token=JumpCloud%20Device%20Trust;object=JumpCloud%20Device%20Trust;type=private"},
        Case{"TokenInfo", "pkcs11:manufacturer=devtrust;model=device-trust;serial=0a%3B%2f"},
        Case{"Id", "pkcs11:id=%01%02%00%ff;type=cert"}, Case{"RawId", "pkcs11:id=abc%2Fd;type=public"},
        Case{"Data", "pkcs11:type=data;object=x"}, Case{"SecretKey", "pkcs11:type=secret-key"},
        Case{"Slot", "pkcs11:slot-id=17;slot-description=A%20slot;slot-manufacturer=who"},
        Case{"Library", "pkcs11:library-description=d;library-manufacturer=m;library-version=2.40"},
        Case{"PinValue", "pkcs11:token=a?pin-value=1%3f2%263"}, Case{"PinSource", "pkcs11:?pin-source=file:/run/a%20b"},
        Case{"Module", "pkcs11:object=o?module-name=n&module-path=/usr/lib/n.so"},
        Case{"SpecialCharacters", "pkcs11:object=:[]@!$'()*+,=&"},
        Case{"QueryCharacters", "pkcs11:?pin-value=/?:|@!$'()*+,="}, Case{"SchemeInCapitals", "PKCS11:token=x"}),
    [](const testing::TestParamInfo<Case>& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace devtrust
