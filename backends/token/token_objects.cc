#include "backends/token/token_objects.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "identity/curve.h"

namespace devtrust {
namespace {

constexpr std::size_t kMaxObjects = 512;
constexpr CK_ULONG kMaxAttribute = 65536;
constexpr CK_ULONG kAtOnce = 32;

tl::unexpected<TokenFailure> untrue() {
  return refused(ErrorCode::kCorrupt, "its module gives lengths that cannot be true");
}

TokenAnswer<std::vector<CK_OBJECT_HANDLE>> find(TokenSession& session, CK_OBJECT_CLASS object_class, ByteView id) {
  std::array<CK_ATTRIBUTE, 2> wanted{
      {{CKA_CLASS, &object_class, sizeof object_class},
       {CKA_ID, const_cast<std::uint8_t*>(id.data()), static_cast<CK_ULONG>(id.size())}}};
  CK_RV rv = session.call(&CK_FUNCTION_LIST::C_FindObjectsInit, wanted.data(), CK_ULONG{id.empty() ? 1U : 2U});
  if (rv != CKR_OK) return refused(rv);
  std::vector<CK_OBJECT_HANDLE> found;
  while (found.size() < kMaxObjects) {
    std::array<CK_OBJECT_HANDLE, kAtOnce> some{};
    CK_ULONG count = 0;
    rv = session.call(&CK_FUNCTION_LIST::C_FindObjects, some.data(), kAtOnce, &count);
    if (rv != CKR_OK) return refused(rv);
    if (count > kAtOnce) return untrue();
    if (count == 0) break;
    found.insert(found.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  rv = session.call(&CK_FUNCTION_LIST::C_FindObjectsFinal);
  if (rv != CKR_OK) return refused(rv);
  return found;
}

/// An object's attributes in the order that was asked for; nothing for one that it does not have or does not show.
class Attributes {
 public:
  static TokenAnswer<Attributes> read(TokenSession& session, CK_OBJECT_HANDLE object,
                                      std::initializer_list<CK_ATTRIBUTE_TYPE> types) {
    Attributes read;
    std::vector<CK_ATTRIBUTE> list;
    for (const CK_ATTRIBUTE_TYPE type : types) list.push_back({type, nullptr, 0});
    if (const CK_RV rv = get(session, object, list); rv != CKR_OK) return refused(rv);
    std::vector<CK_ATTRIBUTE> there;
    for (const CK_ATTRIBUTE& one : list) {
      if (one.ulValueLen == CK_UNAVAILABLE_INFORMATION || one.ulValueLen == 0) continue;
      if (one.ulValueLen > kMaxAttribute) return untrue();
      Bytes& value = read.values_.emplace_back(one.type, Bytes(one.ulValueLen)).second;
      there.push_back({one.type, value.data(), one.ulValueLen});
    }
    if (there.empty()) return read;
    if (const CK_RV rv = get(session, object, there); rv != CKR_OK) return refused(rv);
    for (std::size_t i = 0; i < there.size(); ++i) {
      Bytes& value = read.values_[i].second;
      if (there[i].ulValueLen == CK_UNAVAILABLE_INFORMATION) {
        value.clear();
      } else if (there[i].ulValueLen > value.size()) {
        return untrue();
      } else {
        value.resize(there[i].ulValueLen);
      }
    }
    return read;
  }

  /// Empty where there is none.
  const Bytes& bytes(CK_ATTRIBUTE_TYPE type) const {
    static const Bytes none;
    const auto found = std::ranges::find(values_, type, &std::pair<CK_ATTRIBUTE_TYPE, Bytes>::first);
    return found != values_.end() ? found->second : none;
  }
  std::optional<CK_ULONG> number(CK_ATTRIBUTE_TYPE type) const {
    const Bytes& value = bytes(type);
    CK_ULONG number = 0;
    if (value.size() != sizeof number) return std::nullopt;
    std::memcpy(&number, value.data(), sizeof number);
    return number;
  }
  bool flag(CK_ATTRIBUTE_TYPE type, bool otherwise) const {
    const Bytes& value = bytes(type);
    return value.size() == sizeof(CK_BBOOL) ? value.front() != CK_FALSE : otherwise;
  }
  void digest_into(std::uint64_t& digest) const {
    for (const auto& [type, value] : values_) {
      digest = digest * 31 + type;
      digest = digest * 31 + std::hash<std::string_view>()(as_text(value));
    }
  }

 private:
  /// What an object does not have, or does not show, has no length; the call says so, too.
  static CK_RV get(TokenSession& session, CK_OBJECT_HANDLE object, std::vector<CK_ATTRIBUTE>& list) {
    const CK_RV rv =
        session.call(&CK_FUNCTION_LIST::C_GetAttributeValue, object, list.data(), static_cast<CK_ULONG>(list.size()));
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ? CKR_OK : rv;
  }

  std::vector<std::pair<CK_ATTRIBUTE_TYPE, Bytes>> values_;
};

std::optional<PublicKey> public_key_of(const Attributes& attributes) {
  const auto value = [](Result<PublicKey> key) { return key ? std::optional(*std::move(key)) : std::nullopt; };
  if (const Bytes& spki = attributes.bytes(CKA_PUBLIC_KEY_INFO); !spki.empty()) {
    if (auto key = value(PublicKey::from_spki(spki))) return key;
  }
  if (const Bytes& modulus = attributes.bytes(CKA_MODULUS); !modulus.empty()) {
    return value(PublicKey::rsa(modulus, attributes.bytes(CKA_PUBLIC_EXPONENT)));
  }
  if (const Bytes& point = attributes.bytes(CKA_EC_POINT); !point.empty()) {
    return value(PublicKey::ec(attributes.bytes(CKA_EC_PARAMS), point));
  }
  return std::nullopt;
}

std::optional<KeyType> type_of(const Attributes& attributes) {
  const auto type = attributes.number(CKA_KEY_TYPE);
  if (!type) return std::nullopt;
  if (*type == CKK_RSA) return KeyType::kRsa;
  if (*type != CKK_EC && *type != CKK_EC_EDWARDS) return std::nullopt;
  const Curve* curve = find_curve(attributes.bytes(CKA_EC_PARAMS));
  return curve != nullptr ? std::optional(curve->type) : std::nullopt;
}

/// Calls `take(attributes)` for each object of a class.
template <typename Take>
TokenAnswer<> for_each(TokenSession& session, CK_OBJECT_CLASS object_class,
                       std::initializer_list<CK_ATTRIBUTE_TYPE> types, std::uint64_t& digest, Take take) {
  const auto found = find(session, object_class, {});
  if (!found) return tl::unexpected(found.error());
  for (const CK_OBJECT_HANDLE object : *found) {
    const auto attributes = Attributes::read(session, object, types);
    if (!attributes) {
      if (attributes.error().rv == CKR_OBJECT_HANDLE_INVALID) continue;  // it went in the meantime
      return tl::unexpected(attributes.error());
    }
    digest = digest * 31 + object_class;
    attributes->digest_into(digest);
    take(*attributes);
  }
  return {};
}

}  // namespace

TokenAnswer<TokenListing> list_token(TokenSession& session) {
  TokenListing listing;
  auto done = for_each(session, CKO_CERTIFICATE, {CKA_CERTIFICATE_TYPE, CKA_ID, CKA_VALUE}, listing.digest,
                       [&](const Attributes& attributes) {
                         if (attributes.number(CKA_CERTIFICATE_TYPE) != CKC_X_509) return;
                         listing.certificates.push_back({attributes.bytes(CKA_VALUE), attributes.bytes(CKA_ID)});
                       });
  if (!done) return tl::unexpected(done.error());
  done = for_each(session, CKO_PRIVATE_KEY,
                  {CKA_KEY_TYPE, CKA_ID, CKA_LABEL, CKA_SIGN, CKA_DECRYPT, CKA_DERIVE, CKA_ALWAYS_SENSITIVE,
                   CKA_NEVER_EXTRACTABLE, CKA_LOCAL, CKA_ALWAYS_AUTHENTICATE, CKA_MODULUS, CKA_PUBLIC_EXPONENT,
                   CKA_EC_PARAMS, CKA_EC_POINT, CKA_PUBLIC_KEY_INFO},
                  listing.digest, [&](const Attributes& attributes) {
                    TokenPrivateKey key;
                    key.id = attributes.bytes(CKA_ID);
                    key.traits.label = as_text(attributes.bytes(CKA_LABEL));
                    key.traits.may_sign = attributes.flag(CKA_SIGN, true);
                    key.traits.may_decrypt = attributes.flag(CKA_DECRYPT, true);
                    key.traits.may_derive = attributes.flag(CKA_DERIVE, true);
                    key.traits.always_sensitive = attributes.flag(CKA_ALWAYS_SENSITIVE, false);
                    key.traits.never_extractable = attributes.flag(CKA_NEVER_EXTRACTABLE, false);
                    key.traits.local = attributes.flag(CKA_LOCAL, false);
                    key.always_authenticate = attributes.flag(CKA_ALWAYS_AUTHENTICATE, false);
                    key.type = type_of(attributes);
                    key.public_key = public_key_of(attributes);
                    listing.private_keys.push_back(std::move(key));
                  });
  if (!done) return tl::unexpected(done.error());
  done = for_each(session, CKO_PUBLIC_KEY,
                  {CKA_KEY_TYPE, CKA_ID, CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS, CKA_EC_POINT}, listing.digest,
                  [&](const Attributes& attributes) {
                    listing.public_keys.push_back({attributes.bytes(CKA_ID), public_key_of(attributes)});
                  });
  if (!done) return tl::unexpected(done.error());
  return listing;
}

TokenAnswer<FoundKey> find_private_key(TokenSession& session, ByteView id, const PublicKey& key) {
  const auto found = find(session, CKO_PRIVATE_KEY, id);
  if (!found) return tl::unexpected(found.error());
  std::optional<CK_OBJECT_HANDLE> likely;
  for (const CK_OBJECT_HANDLE object : *found) {
    const auto attributes = Attributes::read(
        session, object,
        {CKA_KEY_TYPE, CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS, CKA_EC_POINT, CKA_PUBLIC_KEY_INFO});
    if (!attributes) return tl::unexpected(attributes.error());
    const auto its = public_key_of(*attributes);
    if (its && *its == key) return FoundKey{object, true};
    if (!its && !likely && !id.empty() && type_of(*attributes) == key.type()) likely = object;
  }
  if (likely) return FoundKey{*likely, false};
  if (found->empty() || id.empty()) return FoundKey{};
  return refused(ErrorCode::kKeyMismatch, "the private key does not belong to the certificate");
}

}  // namespace devtrust
