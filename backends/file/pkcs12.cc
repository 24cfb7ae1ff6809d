#include "backends/file/pkcs12.h"

#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>

#include <memory>

#include "backends/file/pbe.h"
#include "identity/der.h"

namespace devtrust {
namespace {

using Pkcs12Ptr = std::unique_ptr<PKCS12, OpensslDeleter<PKCS12_free>>;
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, OpensslDeleter<PKCS8_PRIV_KEY_INFO_free>>;
using SafesPtr = std::unique_ptr<STACK_OF(PKCS7),
                                 OpensslDeleter<[](STACK_OF(PKCS7) * safes) { sk_PKCS7_pop_free(safes, PKCS7_free); }>>;
using BagsPtr = std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), OpensslDeleter<[](STACK_OF(PKCS12_SAFEBAG) * bags) {
                                  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
                                }>>;

ByteView view(const ASN1_OCTET_STRING* string) {
  return {ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// Into an object of our context: what is read from it later is, too.
Pkcs12Ptr parse(ByteView content) {
  PKCS12* p12 = libctx() != nullptr ? PKCS12_init_ex(NID_pkcs7_data, libctx(), nullptr) : nullptr;
  const unsigned char* cursor = content.data();
  if (p12 != nullptr && d2i_PKCS12(&p12, &cursor, static_cast<long>(content.size())) == nullptr) p12 = nullptr;
  return Pkcs12Ptr(p12);
}

bool verify_mac(PKCS12* p12, std::optional<std::string_view> password) {
  const std::string_view text = password.value_or(std::string_view());
  const char* start = text.empty() ? "" : text.data();
  return PKCS12_verify_mac(p12, password ? start : nullptr, static_cast<int>(text.size())) == 1;
}

/// libcrypto would make an X509 of the host's default context: the certificate's bytes are taken from the bag instead.
void take_certificate(const PKCS12_SAFEBAG* bag, Pkcs12Contents& contents) {
  unsigned char* encoded = nullptr;
  const int length = i2d_PKCS12_SAFEBAG(bag, &encoded);
  const std::unique_ptr<unsigned char, OpensslDeleter<[](unsigned char* p) { OPENSSL_free(p); }>> owner(encoded);
  if (length <= 0) return;
  const auto outer = der_single({encoded, static_cast<std::size_t>(length)}, der::kSequence);
  if (!outer) return;
  DerReader fields(outer->content);
  fields.next(der::kOid);
  const auto value = fields.next(der::context_constructed(0));
  const auto cert_bag = value ? der_single(value->content, der::kSequence) : std::nullopt;
  if (!cert_bag) return;
  DerReader cert_fields(cert_bag->content);
  cert_fields.next(der::kOid);
  const auto wrapped = cert_fields.next(der::context_constructed(0));
  const auto octets = wrapped ? der_single(wrapped->content, der::kOctetString) : std::nullopt;
  if (octets) contents.certificates.push_back(to_bytes(octets->content));
}

Result<Pkcs8Ptr> decrypt_key(const PKCS12_SAFEBAG* bag, std::optional<std::string_view> password) {
  const X509_ALGOR* algorithm = nullptr;
  const ASN1_OCTET_STRING* ciphertext = nullptr;
  X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, &ciphertext);
  const auto plaintext = decrypt_pbe(*algorithm, view(ciphertext), password);
  if (!plaintext) return fail(plaintext);
  const unsigned char* cursor = plaintext->data();
  return Pkcs8Ptr(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &cursor, static_cast<long>(plaintext->size())));
}

void take_key(const PKCS12_SAFEBAG* bag, std::optional<std::string_view> password, Pkcs12Contents& contents) {
  Pkcs8Ptr decrypted;
  const PKCS8_PRIV_KEY_INFO* info = nullptr;
  if (PKCS12_SAFEBAG_get_nid(bag) == NID_keyBag) {
    info = PKCS12_SAFEBAG_get0_p8inf(bag);
  } else {
    auto opened = decrypt_key(bag, password);
    if (!opened) {
      contents.problems.push_back({opened.error().code, "a private key is passed over: " + opened.error().message});
      return;
    }
    decrypted = *std::move(opened);
    info = decrypted.get();
  }
  EvpPkeyPtr key(info != nullptr ? EVP_PKCS82PKEY_ex(info, libctx(), nullptr) : nullptr);
  if (key != nullptr) {
    contents.keys.push_back(std::move(key));
  } else {
    contents.problems.push_back(
        {ErrorCode::kCorrupt,
         "a private key is passed over: it is damaged, or of a kind that libcrypto does not know"});
  }
}

Result<BagsPtr> unpack(PKCS7* safe, std::optional<std::string_view> password) {
  if (safe->d.ptr == nullptr) return fail(ErrorCode::kCorrupt, "a part of it is empty");
  if (PKCS7_type_is_data(safe)) return BagsPtr(PKCS12_unpack_p7data(safe));
  if (!PKCS7_type_is_encrypted(safe)) {
    return fail(ErrorCode::kUnsupported, "a part of it is protected by a public key, which cannot be read");
  }
  const PKCS7_ENC_CONTENT* content = safe->d.encrypted->enc_data;
  if (content->enc_data == nullptr) return fail(ErrorCode::kCorrupt, "it is damaged");
  auto plaintext = decrypt_pbe(*content->algorithm, view(content->enc_data), password);
  if (!plaintext) return fail(plaintext);
  const unsigned char* cursor = plaintext->data();
  ASN1_VALUE* bags =
      ASN1_item_d2i(nullptr, &cursor, static_cast<long>(plaintext->size()), ASN1_ITEM_rptr(PKCS12_SAFEBAGS));
  return BagsPtr(reinterpret_cast<STACK_OF(PKCS12_SAFEBAG)*>(bags));
}

}  // namespace

bool looks_like_pkcs12(ByteView content) {
  if (content.size() < 3 || content[0] != der::kSequence) return false;
  const std::size_t length = content[1] > 0x80 ? 1U + (content[1] & 0x7FU) : 1U;  // 0x80: its end is marked instead
  return content.size() > 1 + length && content[1 + length] == der::kInteger;
}

Result<Pkcs12Contents> read_pkcs12(ByteView content, std::optional<std::string_view> password) {
  const LibcryptoUse use;
  const Pkcs12Ptr p12 = parse(content);
  if (p12 == nullptr) return fail(ErrorCode::kCorrupt, "it is not PKCS#12: " + openssl_reason());
  const bool guess = !password;
  if (guess) password = "";
  const ASN1_INTEGER* iterations = nullptr;
  PKCS12_get0_mac(nullptr, nullptr, nullptr, &iterations, p12.get());
  if (iterations != nullptr && (ASN1_INTEGER_get(iterations) < 0 || ASN1_INTEGER_get(iterations) > kMaxIterations)) {
    return fail(ErrorCode::kUnsupported,
                "its MAC asks for more than " + std::to_string(kMaxIterations) + " iterations");
  }
  const bool checked = PKCS12_mac_present(p12.get()) == 1;
  if (checked && !verify_mac(p12.get(), password)) {
    if (!guess || !verify_mac(p12.get(), std::nullopt)) {
      return fail(ErrorCode::kWrongPassword, guess
                                                 ? "it has a password, and the configuration names no pin_source for it"
                                                 : "the password does not open it");
    }
    password.reset();
  }

  const SafesPtr safes(PKCS12_unpack_authsafes(p12.get()));
  if (safes == nullptr) return fail(ErrorCode::kCorrupt, "it is damaged: " + openssl_reason());
  Pkcs12Contents contents;
  for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
    const auto bags = unpack(sk_PKCS7_value(safes.get(), i), password);
    if (!bags) return fail(bags);
    if (*bags == nullptr) {
      // Without a MAC, a wrong password makes valid padding once in 256 times.
      return checked ? fail(ErrorCode::kCorrupt, "it is damaged: " + openssl_reason())
                     : fail(ErrorCode::kWrongPassword, "the password does not open it");
    }
    for (int j = 0; j < sk_PKCS12_SAFEBAG_num(bags->get()); ++j) {
      const PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags->get(), j);
      const int kind = PKCS12_SAFEBAG_get_nid(bag);
      if (kind == NID_certBag) take_certificate(bag, contents);
      if (kind == NID_keyBag || kind == NID_pkcs8ShroudedKeyBag) take_key(bag, password, contents);
    }
  }
  return contents;
}

}  // namespace devtrust
