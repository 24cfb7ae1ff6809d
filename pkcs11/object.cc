#include "pkcs11/object.h"

#include <algorithm>
#include <cstring>

namespace devtrust::pkcs11 {

Attribute flag(CK_ATTRIBUTE_TYPE type, bool value) {
  return {type, {static_cast<std::uint8_t>(value ? CK_TRUE : CK_FALSE)}, false};
}

Attribute number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  Attribute attribute{type, Bytes(sizeof value), false};
  std::memcpy(attribute.value.data(), &value, sizeof value);
  return attribute;
}

Attribute bytes(CK_ATTRIBUTE_TYPE type, ByteView value) { return {type, to_bytes(value), false}; }
Attribute text(CK_ATTRIBUTE_TYPE type, std::string_view value) { return bytes(type, as_bytes(value)); }

std::optional<CK_ULONG> template_number(const CK_ATTRIBUTE& attribute) {
  CK_ULONG value = 0;
  if (attribute.ulValueLen != sizeof value) return std::nullopt;
  std::memcpy(&value, attribute.pValue, sizeof value);
  return value;
}

std::optional<bool> template_flag(const CK_ATTRIBUTE& attribute) {
  if (attribute.ulValueLen != sizeof(CK_BBOOL)) return std::nullopt;
  return *static_cast<const CK_BBOOL*>(attribute.pValue) != CK_FALSE;
}

Answer<std::span<const CK_ATTRIBUTE>> checked_template(const CK_ATTRIBUTE* attributes, CK_ULONG count) {
  if (attributes == nullptr && count > 0) return refuse(CKR_ARGUMENTS_BAD, "the template is NULL");
  const std::span<const CK_ATTRIBUTE> list(attributes, count);
  for (const CK_ATTRIBUTE& attribute : list) {
    if (attribute.pValue == nullptr && attribute.ulValueLen > 0) {
      return refuse(CKR_ARGUMENTS_BAD, "an attribute of the template has a length and a NULL value");
    }
  }
  return list;
}

Object::Object(CK_OBJECT_HANDLE handle, std::vector<Attribute> attributes, IdentityPtr identity,
               std::optional<PublicKey> key, SecureBytes secret)
    : handle_(handle),
      attributes_(std::move(attributes)),
      identity_(std::move(identity)),
      key_(std::move(key)),
      secret_(std::move(secret)) {
  std::ranges::sort(attributes_, {}, &Attribute::type);
  if (const auto kind = find(CKA_CLASS)) std::memcpy(&class_, kind->bytes.data(), sizeof class_);
  private_ = is(CKA_PRIVATE);
  secret_readable_ = !is(CKA_SENSITIVE) && is(CKA_EXTRACTABLE);
}

std::optional<Object::Value> Object::find(CK_ATTRIBUTE_TYPE type) const {
  if (class_ == CKO_SECRET_KEY && type == CKA_VALUE) {
    return secret_readable_ ? Value{false, secret_} : Value{true, {}};
  }
  const auto found = std::ranges::lower_bound(attributes_, type, {}, &Attribute::type);
  if (found == attributes_.end() || found->type != type) return std::nullopt;
  return Value{found->sensitive, found->value};
}

bool Object::is(CK_ATTRIBUTE_TYPE type) const {
  const auto value = find(type);
  return value && value->bytes.size() == sizeof(CK_BBOOL) && value->bytes[0] == CK_TRUE;
}

// The cases are those of the specification's description of C_GetAttributeValue, in its order.
CK_RV Object::read(CK_ATTRIBUTE& attribute) const {
  const auto value = find(attribute.type);
  if (value && value->sensitive) {  // 1: it is there and cannot be revealed
    attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_ATTRIBUTE_SENSITIVE;
  }
  if (!value) {  // 2: the object has no such attribute
    attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_ATTRIBUTE_TYPE_INVALID;
  }
  if (attribute.pValue == nullptr) {  // 3: its length is asked for
    attribute.ulValueLen = to_ulong(value->bytes.size());
    return CKR_OK;
  }
  if (attribute.ulValueLen >= value->bytes.size()) {  // 4: it fits
    std::ranges::copy(value->bytes, static_cast<std::uint8_t*>(attribute.pValue));
    attribute.ulValueLen = to_ulong(value->bytes.size());
    return CKR_OK;
  }
  attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;  // 5: it does not fit
  return CKR_BUFFER_TOO_SMALL;
}

bool Object::matches(std::span<const CK_ATTRIBUTE> wanted) const {
  return std::ranges::all_of(wanted, [this](const CK_ATTRIBUTE& attribute) {
    const auto value = find(attribute.type);
    return value && !value->sensitive && value->bytes.size() == attribute.ulValueLen &&
           (value->bytes.empty() || std::memcmp(value->bytes.data(), attribute.pValue, value->bytes.size()) == 0);
  });
}

CK_ULONG Object::size() const {
  std::size_t total = secret_readable_ ? secret_.size() : 0;
  for (const Attribute& attribute : attributes_) total += attribute.value.size();
  return to_ulong(total);
}

}  // namespace devtrust::pkcs11
