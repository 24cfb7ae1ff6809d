// PKCS#11 3.0 §5.18 "Key management functions": of these only C_DeriveKey, whose keys are session objects.
#include <algorithm>

#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

/// What a caller wants of a derived key.
struct SecretTemplate {
  CK_KEY_TYPE key_type = CKK_GENERIC_SECRET;
  CK_ULONG length = 0;  // 0: all that there is
  bool is_private = false;
  bool sensitive = false;
  bool extractable = true;
  std::vector<Attribute> kept;  // as they were given
};

Answer<SecretTemplate> read_template(std::span<const CK_ATTRIBUTE> wanted, const Session& session, bool is_private) {
  SecretTemplate secret;
  secret.is_private = is_private;
  for (const CK_ATTRIBUTE& attribute : wanted) {
    const auto as_number = template_number(attribute);
    const auto as_flag = template_flag(attribute);
    const auto refuse_value = [&attribute] {
      return refuse(CKR_ATTRIBUTE_VALUE_INVALID, attribute_name(attribute.type) + " has a value that cannot be");
    };
    switch (attribute.type) {
      case CKA_CLASS:
        if (as_number != CKO_SECRET_KEY) return refuse(CKR_TEMPLATE_INCONSISTENT, "a derived key is a secret key");
        break;
      case CKA_KEY_TYPE:
        secret.key_type = as_number.value_or(CKK_VENDOR_DEFINED);
        if (secret.key_type != CKK_GENERIC_SECRET && secret.key_type != CKK_AES) {
          return refuse(CKR_TEMPLATE_INCONSISTENT, "a derived key is a generic secret or an AES key");
        }
        break;
      case CKA_VALUE_LEN:
        if (!as_number) return refuse_value();
        secret.length = *as_number;
        break;
      case CKA_TOKEN:
        if (!as_flag) return refuse_value();
        if (*as_flag) return refuse(session.read_write() ? CKR_TOKEN_WRITE_PROTECTED : CKR_SESSION_READ_ONLY);
        break;
      case CKA_PRIVATE:
        if (!as_flag) return refuse_value();
        secret.is_private = *as_flag;
        break;
      case CKA_SENSITIVE:
        if (!as_flag) return refuse_value();
        secret.sensitive = *as_flag;
        break;
      case CKA_EXTRACTABLE:
        if (!as_flag) return refuse_value();
        secret.extractable = *as_flag;
        break;
      case CKA_MODIFIABLE:
      case CKA_COPYABLE:
      case CKA_TRUSTED:
      case CKA_WRAP_WITH_TRUSTED:
        if (as_flag != false) return refuse_value();
        break;
      case CKA_DESTROYABLE:
        if (as_flag != true) return refuse_value();
        break;
      case CKA_ENCRYPT:
      case CKA_DECRYPT:
      case CKA_SIGN:
      case CKA_VERIFY:
      case CKA_WRAP:
      case CKA_UNWRAP:
      case CKA_DERIVE:
        if (!as_flag) return refuse_value();
        secret.kept.push_back(flag(attribute.type, *as_flag));
        break;
      case CKA_LABEL:
      case CKA_ID:
        secret.kept.push_back(
            bytes(attribute.type, {static_cast<const CK_BYTE*>(attribute.pValue), attribute.ulValueLen}));
        break;
      case CKA_LOCAL:
      case CKA_ALWAYS_SENSITIVE:
      case CKA_NEVER_EXTRACTABLE:
      case CKA_KEY_GEN_MECHANISM:
      case CKA_UNIQUE_ID:
        return refuse(CKR_ATTRIBUTE_READ_ONLY, attribute_name(attribute.type) + " cannot be chosen");
      default:
        return refuse(CKR_ATTRIBUTE_TYPE_INVALID, attribute_name(attribute.type) + " is no attribute of a derived key");
    }
  }
  return secret;
}

bool aes_length(std::size_t length) { return length == 16 || length == 24 || length == 32; }

std::vector<Attribute> secret_attributes(SecretTemplate secret, const Object& base, CK_ULONG length) {
  std::vector<Attribute> list = std::move(secret.kept);
  const auto add_default = [&list](Attribute attribute) {
    if (std::ranges::find(list, attribute.type, &Attribute::type) == list.end()) list.push_back(std::move(attribute));
  };
  for (const CK_ATTRIBUTE_TYPE type :
       {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE}) {
    add_default(flag(type, false));
  }
  for (const CK_ATTRIBUTE_TYPE type : {CKA_LABEL, CKA_ID, CKA_START_DATE, CKA_END_DATE}) add_default(text(type, ""));
  for (Attribute& attribute : std::to_array<Attribute>(
           {number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, secret.key_type), number(CKA_VALUE_LEN, length),
            flag(CKA_TOKEN, false), flag(CKA_PRIVATE, secret.is_private), flag(CKA_MODIFIABLE, false),
            flag(CKA_COPYABLE, false), flag(CKA_DESTROYABLE, true), flag(CKA_LOCAL, false), flag(CKA_TRUSTED, false),
            flag(CKA_WRAP_WITH_TRUSTED, false), number(CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION),
            flag(CKA_SENSITIVE, secret.sensitive), flag(CKA_EXTRACTABLE, secret.extractable),
            flag(CKA_ALWAYS_SENSITIVE, base.is(CKA_ALWAYS_SENSITIVE) && secret.sensitive),
            flag(CKA_NEVER_EXTRACTABLE, base.is(CKA_NEVER_EXTRACTABLE) && !secret.extractable)})) {
    list.push_back(std::move(attribute));
  }
  return list;
}

}  // namespace

CK_RV C_DeriveKey(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism, CK_OBJECT_HANDLE hBaseKey,
                  CK_ATTRIBUTE* pTemplate, CK_ULONG ulAttributeCount, CK_OBJECT_HANDLE* phKey) {
  return session_call("C_DeriveKey",
                      {value("session", hSession), mechanism_argument(pMechanism), value("base_key", hBaseKey),
                       attributes(pTemplate, ulAttributeCount), result("key", phKey)},
                      hSession, [&](const Library& library, Session& session) -> Answer<> {
                        if (pMechanism == nullptr || phKey == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        if (pMechanism->pParameter == nullptr && pMechanism->ulParameterLen > 0) {
                          return refuse(CKR_MECHANISM_PARAM_INVALID);
                        }
                        const auto wanted = checked_template(pTemplate, ulAttributeCount);
                        if (!wanted) return tl::unexpected(wanted.error());
                        const auto base = session.find_key(hBaseKey, CKO_PRIVATE_KEY, CKA_DERIVE);
                        if (!base) return tl::unexpected(base.error());
                        auto described = read_template(*wanted, session, (*base)->is_private());
                        if (!described) return tl::unexpected(described.error());
                        auto secret =
                            derive_secret(*pMechanism, *(*base)->identity(), described->length, library.audit());
                        if (!secret) return tl::unexpected(secret.error());
                        if (described->key_type == CKK_AES && !aes_length(secret->size())) {
                          return refuse(CKR_TEMPLATE_INCOMPLETE, "an AES key needs a CKA_VALUE_LEN of 16, 24 or 32");
                        }
                        const CK_ULONG length = to_ulong(secret->size());
                        const auto key = session.slot().add_session_object(
                            hSession, secret_attributes(*std::move(described), **base, length), *std::move(secret));
                        if (!key) return tl::unexpected(key.error());
                        *phKey = (*key)->handle();
                        return {};
                      });
}
