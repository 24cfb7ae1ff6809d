// Objects and their attributes. An object never changes; a renewal makes new ones.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "identity/snapshot.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/status.h"

namespace devtrust::pkcs11 {

struct Attribute {
  CK_ATTRIBUTE_TYPE type = 0;
  Bytes value;
  bool sensitive = false;  ///< it exists and never leaves: `value` is empty

  friend bool operator==(const Attribute&, const Attribute&) = default;
};

Attribute flag(CK_ATTRIBUTE_TYPE type, bool value);
Attribute number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
Attribute bytes(CK_ATTRIBUTE_TYPE type, ByteView value);
Attribute text(CK_ATTRIBUTE_TYPE type, std::string_view value);

/// A CK_ULONG or CK_BBOOL attribute of a caller's template; nothing where the length is another.
std::optional<CK_ULONG> template_number(const CK_ATTRIBUTE& attribute);
std::optional<bool> template_flag(const CK_ATTRIBUTE& attribute);
/// CKR_ARGUMENTS_BAD where a pointer is NULL although there is a length.
Answer<std::span<const CK_ATTRIBUTE>> checked_template(const CK_ATTRIBUTE* attributes, CK_ULONG count);

/// Thread-safe, since immutable.
class Object {
 public:
  /// `key`: what C_VerifyInit and C_EncryptInit use; `identity`: what private keys use; `secret`: a derived key's
  /// value.
  Object(CK_OBJECT_HANDLE handle, std::vector<Attribute> attributes, IdentityPtr identity = nullptr,
         std::optional<PublicKey> key = std::nullopt, SecureBytes secret = {});

  CK_OBJECT_HANDLE handle() const { return handle_; }
  CK_OBJECT_CLASS object_class() const { return class_; }
  bool is_private() const { return private_; }
  const IdentityPtr& identity() const { return identity_; }
  const std::optional<PublicKey>& public_key() const { return key_; }
  const SecureBytes& secret() const { return secret_; }
  const std::vector<Attribute>& attributes() const { return attributes_; }  ///< sorted by type
  /// Whether this boolean attribute is there and true.
  bool is(CK_ATTRIBUTE_TYPE type) const;

  /// C_GetAttributeValue for one attribute: sets ulValueLen, and the value where there is room.
  CK_RV read(CK_ATTRIBUTE& attribute) const;
  /// Whether all of the template's attributes are there with the same values.
  bool matches(std::span<const CK_ATTRIBUTE> wanted) const;
  /// The bytes of all attributes that can be read.
  CK_ULONG size() const;

 private:
  struct Value {
    bool sensitive = false;
    ByteView bytes;
  };
  std::optional<Value> find(CK_ATTRIBUTE_TYPE type) const;

  CK_OBJECT_HANDLE handle_;
  std::vector<Attribute> attributes_;  // sorted by type
  IdentityPtr identity_;
  std::optional<PublicKey> key_;
  SecureBytes secret_;
  CK_OBJECT_CLASS class_ = 0;
  bool private_ = false;
  bool secret_readable_ = false;
};
using ObjectPtr = std::shared_ptr<const Object>;

}  // namespace devtrust::pkcs11
