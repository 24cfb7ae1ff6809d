#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <new>

#include "cli/cms.h"
#include "cli/time_stamp.h"
#include "identity/certificate_text.h"
#include "identity/der.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

constexpr const char* kArmor = "SIGNED MESSAGE";

/// How a key signs in CMS.
struct Method {
  SignScheme scheme;
  AlgorithmNumbers numbers;
  const char* mechanism;  // for the audit line
};

/// The digest that fits the key's strength (RFC 5753 §2.1.1).
Result<Method> method_of(const Identity& identity) {
  const PublicKey& key = identity.leaf->public_key();
  const std::string which = "the key of \"" + name_of(*identity.leaf) + '"';
  Method method{{SignAlgorithm::kRsaPkcs1, Digest::kSha256, Digest::kNone, 0}, {1, 8}, "CMS-RSA-SHA256"};
  if (key.type() == KeyType::kEc) {
    method = {{SignAlgorithm::kEcdsa, Digest::kSha256, Digest::kNone, 0}, {19, 8}, "CMS-ECDSA-SHA256"};
    if (key.bits() > 256)
      method = {{SignAlgorithm::kEcdsa, Digest::kSha384, Digest::kNone, 0}, {19, 9}, "CMS-ECDSA-SHA384"};
    if (key.bits() > 384)
      method = {{SignAlgorithm::kEcdsa, Digest::kSha512, Digest::kNone, 0}, {19, 10}, "CMS-ECDSA-SHA512"};
  } else if (key.type() != KeyType::kRsa) {
    return fail(ErrorCode::kUnsupported,
                which + " is of type " + key_type_name(key.type()) +
                    ", with which OpenSSL 3.0 makes no CMS signatures: an RSA or EC key is needed");
  }
  if (identity.leaf->for_pss_only() || !identity.key->can_sign(method.scheme)) {
    return fail(ErrorCode::kUnsupported, which +
                                             " cannot make the signatures that CMS wants: an RSA key that is not for "
                                             "RSASSA-PSS alone, or an EC key, is needed");
  }
  const auto usage = identity.leaf->key_usage();
  if (usage && (*usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0) {
    return fail(ErrorCode::kUnsupported,
                '"' + name_of(*identity.leaf) + "\" does not allow signatures (its key usage has no digitalSignature)");
  }
  return method;
}

/// Whether the certificate says where its issuer's is to be found.
bool names_issuer(X509* certificate) {
  auto* access = static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(certificate, NID_info_access, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); ++i) {
    found = found || OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access, i)->method) == NID_ad_ca_issuers;
  }
  AUTHORITY_INFO_ACCESS_free(access);
  return found;
}

/// What goes into the signature, the leaf first: smimesign's --include-certs.
std::vector<CertificatePtr> included(const Identity& identity, int include_certs) {
  std::vector<CertificatePtr> chain{identity.leaf};
  chain.insert(chain.end(), identity.chain.issuers.begin(), identity.chain.issuers.end());
  if (include_certs >= 0) {
    chain.resize(std::min(chain.size(), static_cast<std::size_t>(include_certs)));
    return chain;
  }
  if (include_certs == -1) return chain;
  // A lone self-signed leaf is its own root: without it nobody could verify.
  if (identity.chain.complete && chain.size() > 1) chain.pop_back();
  if (include_certs == -3) {
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
      if (const X509Ptr subject = to_x509(chain[i]->der()); subject != nullptr && names_issuer(subject.get())) {
        chain.resize(i + 1);
      }
    }
  }
  return chain;
}

/// What is signed: the attributes as a SET OF, in DER's order (RFC 5652 §5.4).
Bytes encoded_attributes(const CMS_SignerInfo* signer) {
  std::vector<Bytes> attributes;
  for (int i = 0; i < CMS_signed_get_attr_count(signer); ++i) {
    unsigned char* der = nullptr;
    const int length = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(signer, i), &der);
    if (length <= 0) throw std::bad_alloc();
    attributes.emplace_back(der, der + length);
    OPENSSL_free(der);
  }
  std::ranges::sort(attributes);
  Bytes content;
  for (const Bytes& attribute : attributes) content.insert(content.end(), attribute.begin(), attribute.end());
  return der_encode(der::kSet, content);
}

bool add_attribute(CMS_SignerInfo* signer, int nid, int type, const void* value, int length) {
  return CMS_signed_add1_attr_by_NID(signer, nid, type, value, length) == 1;
}

bool add_signing_time(CMS_SignerInfo* signer, Time time) {
  ASN1_TIME* text = ASN1_TIME_set(nullptr, time.time_since_epoch().count());
  const bool added = text != nullptr && add_attribute(signer, NID_pkcs9_signingTime, text->type, text, -1);
  ASN1_TIME_free(text);
  return added;
}

Result<Bytes> digest_of(ByteView data, Digest digest) {
  Bytes value(digest_size(digest));
  if (EVP_Digest(data.data(), data.size(), value.data(), nullptr, fetched_md(digest), nullptr) != 1) {
    return fail(ErrorCode::kInternal, "the data cannot be digested: " + openssl_reason());
  }
  return value;
}

Result<Bytes> use_key(const Identity& identity, const Method& method, ByteView digest, const Audit& audit) {
  if (auto written = audit.record("sign", identity, method.mechanism); !written) return fail(written);
  Bytes signature(identity.leaf->public_key().max_signature_size());
  const auto length = identity.key->sign(method.scheme, digest, signature);
  if (!length) return fail(length);
  signature.resize(*length);
  return signature;
}

Result<std::string> encode(const CMS_ContentInfo* message, bool armor) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (out == nullptr) throw std::bad_alloc();
  unsigned char* der = nullptr;
  const int length = i2d_CMS_ContentInfo(message, &der);
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> keep(der, [](unsigned char* p) { OPENSSL_free(p); });
  if (length <= 0) return fail(ErrorCode::kInternal, "the signature cannot be encoded: " + openssl_reason());
  if (!armor) return std::string(as_text(ByteView(der, static_cast<std::size_t>(length))));
  char* text = nullptr;
  if (PEM_write_bio(out.get(), kArmor, "", der, length) <= 0) throw std::bad_alloc();
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

Error failed(const char* what) { return {ErrorCode::kInternal, std::string(what) + ": " + openssl_reason()}; }

/// Adds a token over `signature`; what is wrong is an error only where the caller cannot do without.
Result<std::string> add_time_stamp(CMS_SignerInfo* signer, ByteView signature, const SignRequest& request,
                                   const Trust& trust) {
  auto token = request_time_stamp(request.time_stamp, signature, trust);
  if (token && CMS_unsigned_add1_attr_by_NID(signer, NID_id_smime_aa_timeStampToken, V_ASN1_SEQUENCE, token->data(),
                                             static_cast<int>(token->size())) != 1) {
    token = tl::unexpected(failed("the time stamp cannot be added"));
  }
  if (token) return std::string();
  if (request.time_stamp_required) {
    return fail(token.error().code, token.error().message + "; sign.timestamp_required = true forbids to sign without");
  }
  return token.error().message +
         "; signed without a time stamp, so that the signature counts as good only until its "
         "certificate expires";
}

}  // namespace

Result<Signed> sign_message(const Identity& identity, ByteView data, const SignRequest& request, const Config& config,
                            const Audit& audit) {
  const auto method = method_of(identity);
  if (!method) return fail(method);
  const ErrorQueueGuard guard;
  const Digest digest = method->scheme.digest;
  const Time now = current_time();

  const X509Ptr leaf = to_x509(identity.leaf->der());
  const unsigned how = CMS_PARTIAL | CMS_BINARY | (request.detached ? CMS_DETACHED : 0U);
  const CmsPtr message(CMS_sign_ex(nullptr, nullptr, nullptr, nullptr, how, libctx(), nullptr));
  if (leaf == nullptr || message == nullptr) return tl::unexpected(failed("a CMS message cannot be made"));
  // OpenSSL builds the message; the signature itself is made where the key is, so it gets the public key only.
  CMS_SignerInfo* signer = CMS_add1_signer(message.get(), leaf.get(), X509_get0_pubkey(leaf.get()), fetched_md(digest),
                                           CMS_PARTIAL | CMS_NOSMIMECAP | CMS_NOCERTS);
  if (signer == nullptr) return tl::unexpected(failed("the signer cannot be added"));
  for (const CertificatePtr& certificate : included(identity, request.include_certs)) {
    // Each that libcrypto parses takes a twentieth of the time of a signature.
    const X509Ptr issuer = certificate == identity.leaf ? nullptr : to_x509(certificate->der());
    X509* const x509 = certificate == identity.leaf ? leaf.get() : issuer.get();
    if (x509 == nullptr || CMS_add1_cert(message.get(), x509) != 1) {
      return tl::unexpected(failed("a certificate cannot be added"));
    }
  }
  if (!request.detached) {
    ASN1_OCTET_STRING** content = CMS_get0_content(message.get());
    ASN1_OCTET_STRING* octets = ASN1_OCTET_STRING_new();
    if (content == nullptr || octets == nullptr ||
        ASN1_OCTET_STRING_set(octets, data.data(), static_cast<int>(data.size())) != 1) {
      ASN1_OCTET_STRING_free(octets);
      return tl::unexpected(failed("the data cannot be put into the message"));
    }
    ASN1_OCTET_STRING_free(*content);
    *content = octets;
  }

  const auto content_digest = digest_of(data, digest);
  if (!content_digest) return fail(content_digest);
  if (!add_attribute(signer, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_nid2obj(NID_pkcs7_data), -1) ||
      !add_signing_time(signer, now) ||
      !add_attribute(signer, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING, content_digest->data(),
                     static_cast<int>(content_digest->size()))) {
    return tl::unexpected(failed("the signed attributes cannot be added"));
  }
  const auto to_sign = digest_of(encoded_attributes(signer), digest);
  if (!to_sign) return fail(to_sign);
  const auto signature = use_key(identity, *method, *to_sign, audit);
  if (!signature) return fail(signature);
  if (ASN1_STRING_set(CMS_SignerInfo_get0_signature(signer), signature->data(), static_cast<int>(signature->size())) !=
      1) {
    throw std::bad_alloc();
  }

  Signed result{{}, now, method->numbers, {}};
  if (!request.time_stamp.empty()) {
    auto warning = add_time_stamp(signer, *signature, request, Trust::load(config));
    if (!warning) return fail(warning);
    result.warning = *std::move(warning);
  }
  auto encoded = encode(message.get(), request.armor);
  if (!encoded) return fail(encoded);
  result.message = *std::move(encoded);
  return result;
}

}  // namespace devtrust::cli
