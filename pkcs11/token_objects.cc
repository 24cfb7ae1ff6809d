#include "pkcs11/token_objects.h"

#include <openssl/evp.h>

#include "identity/der.h"
#include "identity/openssl.h"
#include "identity/token.h"

namespace devtrust::pkcs11 {
namespace {

Bytes hash(Digest digest, ByteView data) {
  const LibcryptoUse use;
  const EVP_MD* md = fetched_md(digest);
  Bytes value(digest_size(digest));
  if (md == nullptr || EVP_Digest(data.data(), data.size(), value.data(), nullptr, md, nullptr) != 1) return {};
  return value;
}

/// SHA-1 of the subjectPublicKey BIT STRING's content (RFC 5280 §4.2.1.2), as CKA_NAME_HASH_ALGORITHM says.
Bytes key_hash(const PublicKey& key) {
  const auto spki = der_single(key.spki(), der::kSequence);
  if (!spki) return {};
  DerReader reader(spki->content);
  if (!reader.next(der::kSequence)) return {};
  const auto bits = reader.next(der::kBitString);
  if (!bits || bits->content.empty()) return {};
  return hash(Digest::kSha1, bits->content.subspan(1));
}

Attribute date(CK_ATTRIBUTE_TYPE type, Time time) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
  const int year = static_cast<int>(day.year());
  if (year < 0 || year > 9999) return text(type, "");
  const auto number =
      static_cast<unsigned>(year) * 10000 + static_cast<unsigned>(day.month()) * 100 + static_cast<unsigned>(day.day());
  const std::string digits = std::to_string(number);
  return text(type, std::string(sizeof(CK_DATE) - digits.size(), '0') + digits);
}

/// What every object of the token has.
std::vector<Attribute> common(CK_OBJECT_CLASS object_class, bool is_private, std::string_view label,
                              std::string_view unique_id) {
  return {number(CKA_CLASS, object_class), flag(CKA_TOKEN, true),         flag(CKA_PRIVATE, is_private),
          flag(CKA_MODIFIABLE, false),     flag(CKA_COPYABLE, false),     flag(CKA_DESTROYABLE, false),
          text(CKA_LABEL, label),          text(CKA_UNIQUE_ID, unique_id)};
}

void append(std::vector<Attribute>& to, std::vector<Attribute> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

CK_KEY_TYPE key_type(const PublicKey& key) {
  switch (key.type()) {
    case KeyType::kRsa:
      return CKK_RSA;
    case KeyType::kEc:
      return CKK_EC;
    case KeyType::kEd25519:
    case KeyType::kEd448:
      break;
  }
  return CKK_EC_EDWARDS;
}

/// What both halves of a key pair have. Key generation is not something that a store tells, and neither are a key's
/// dates.
std::vector<Attribute> common_key(const PrivateKey& key, const Certificate& leaf) {
  const PublicKey& shared = key.public_key();
  std::vector<Attribute> list{number(CKA_KEY_TYPE, key_type(shared)),
                              bytes(CKA_ID, shared.id()),
                              text(CKA_START_DATE, ""),
                              text(CKA_END_DATE, ""),
                              flag(CKA_LOCAL, key.traits().local),
                              number(CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION),
                              bytes(CKA_SUBJECT, leaf.subject()),
                              bytes(CKA_PUBLIC_KEY_INFO, shared.spki())};
  if (shared.type() == KeyType::kRsa) {
    append(list, {bytes(CKA_MODULUS, shared.modulus()), bytes(CKA_PUBLIC_EXPONENT, shared.exponent())});
  } else {
    append(list, {bytes(CKA_EC_PARAMS, shared.ec_params()),
                  bytes(CKA_EC_POINT, der_encode(der::kOctetString, shared.ec_point()))});
  }
  return list;
}

/// Every place that decrypts at all knows PKCS#1's padding.
bool decrypts(const PrivateKey& key) {
  return key.can_decrypt({CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}});
}

Description private_key_object(const IdentityPtr& identity, const std::string& label, const std::string& unique_id) {
  const PrivateKey& key = *identity->key;
  const KeyTraits& traits = key.traits();
  const bool rsa = key.public_key().type() == KeyType::kRsa;
  auto list = common(CKO_PRIVATE_KEY, identity->login != nullptr, label, "private-" + unique_id);
  append(list, common_key(key, *identity->leaf));
  append(
      list,
      {flag(CKA_SENSITIVE, true), flag(CKA_EXTRACTABLE, false), flag(CKA_ALWAYS_SENSITIVE, traits.always_sensitive),
       flag(CKA_NEVER_EXTRACTABLE, traits.never_extractable), flag(CKA_SIGN, traits.may_sign),
       flag(CKA_SIGN_RECOVER, rsa && traits.may_sign && key.signs_any_data()),
       flag(CKA_DECRYPT, decrypts(key) && traits.may_decrypt), flag(CKA_DERIVE, key.can_derive() && traits.may_derive),
       flag(CKA_UNWRAP, false), flag(CKA_WRAP_WITH_TRUSTED, false), flag(CKA_ALWAYS_AUTHENTICATE, false)});
  const auto hide = [&list](std::initializer_list<CK_ATTRIBUTE_TYPE> types) {
    for (const CK_ATTRIBUTE_TYPE type : types) list.push_back({type, {}, true});
  };
  if (rsa) {
    hide({CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT});
  } else {
    hide({CKA_VALUE});
  }
  return {"private " + std::string(as_text(key.public_key().spki())), std::move(list), identity, key.public_key()};
}

Description public_key_object(const IdentityPtr& identity, const std::string& label, const std::string& unique_id) {
  const PublicKey& key = identity->key->public_key();
  const bool rsa = key.type() == KeyType::kRsa;
  auto list = common(CKO_PUBLIC_KEY, false, label, "public-" + unique_id);
  append(list, common_key(*identity->key, *identity->leaf));
  append(list, {flag(CKA_ENCRYPT, decrypts(*identity->key)), flag(CKA_VERIFY, true),
                flag(CKA_VERIFY_RECOVER, rsa && identity->key->signs_any_data()), flag(CKA_WRAP, false),
                flag(CKA_DERIVE, false), flag(CKA_TRUSTED, false)});
  if (rsa) list.push_back(number(CKA_MODULUS_BITS, static_cast<CK_ULONG>(key.bits())));
  return {"public " + std::string(as_text(key.spki())), std::move(list), identity, key};
}

/// `issuer`: where the chain has it.
Description certificate_object(const CertificatePtr& certificate, const Certificate* issuer, ByteView id,
                               const std::string& label, CK_ULONG category, bool trusted) {
  const std::string unique_id = to_hex(certificate->sha256());
  auto list = common(CKO_CERTIFICATE, false, label, unique_id);
  append(
      list,
      {number(CKA_CERTIFICATE_TYPE, CKC_X_509), flag(CKA_TRUSTED, trusted), number(CKA_CERTIFICATE_CATEGORY, category),
       date(CKA_START_DATE, certificate->not_before()), date(CKA_END_DATE, certificate->not_after()),
       bytes(CKA_SUBJECT, certificate->subject()), bytes(CKA_ISSUER, certificate->issuer()),
       bytes(CKA_SERIAL_NUMBER, certificate->serial()), bytes(CKA_VALUE, certificate->der()), bytes(CKA_ID, id),
       text(CKA_URL, ""), number(CKA_JAVA_MIDP_SECURITY_DOMAIN, CK_SECURITY_DOMAIN_UNSPECIFIED),
       number(CKA_NAME_HASH_ALGORITHM, CKM_SHA_1), bytes(CKA_PUBLIC_KEY_INFO, certificate->public_key().spki()),
       bytes(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, key_hash(certificate->public_key())),
       bytes(CKA_HASH_OF_ISSUER_PUBLIC_KEY, issuer != nullptr ? key_hash(issuer->public_key()) : Bytes{})});
  const Bytes fingerprint = hash(Digest::kSha1, certificate->der());
  if (fingerprint.size() >= 3) list.push_back(bytes(CKA_CHECK_VALUE, ByteView(fingerprint).first(3)));
  return {"certificate " + unique_id, std::move(list), nullptr, std::nullopt};
}

}  // namespace

Description profile_object(const std::string& token) {
  auto list = common(CKO_PROFILE, false, "Public certificates token", "profile-" + token);
  list.push_back(number(CKA_PROFILE_ID, CKP_PUBLIC_CERTIFICATES_TOKEN));
  return {"profile", std::move(list), nullptr, std::nullopt};
}

std::vector<Description> identity_objects(const IdentityPtr& identity, const Profile& profile, bool current,
                                          bool private_key, bool chain_trusted) {
  const PublicKey& key = identity->key->public_key();
  const std::string label = identity_label(profile, *identity, current);
  const std::string unique_id = to_hex(hash(Digest::kSha256, key.spki()));
  std::vector<Description> list;
  if (private_key) list.push_back(private_key_object(identity, label, unique_id));
  list.push_back(public_key_object(identity, label, unique_id));

  const auto& issuers = identity->chain.issuers;
  const Certificate* issuer = !issuers.empty()                ? issuers.front().get()
                              : identity->leaf->self_issued() ? identity->leaf.get()
                                                              : nullptr;
  list.push_back(
      certificate_object(identity->leaf, issuer, key.id(), label, CK_CERTIFICATE_CATEGORY_TOKEN_USER, false));
  for (std::size_t i = 0; i < issuers.size(); ++i) {
    const CertificatePtr& certificate = issuers[i];
    issuer = i + 1 < issuers.size() ? issuers[i + 1].get() : certificate->self_issued() ? certificate.get() : nullptr;
    list.push_back(certificate_object(certificate, issuer, issuer_id(*certificate), issuer_label(profile, *certificate),
                                      CK_CERTIFICATE_CATEGORY_AUTHORITY, chain_trusted));
  }
  return list;
}

}  // namespace devtrust::pkcs11
