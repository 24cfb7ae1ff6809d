#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <initializer_list>
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
  int signature_nid, digest_nid;
  AlgorithmNumbers numbers;
  const char* mechanism;  // for the audit line
};

/// The digest that fits the key's strength (RFC 5753 §2.1.1).
Result<Method> method_of(const Identity& identity) {
  const PublicKey& key = identity.leaf->public_key();
  const std::string which = "the key of \"" + name_of(*identity.leaf) + '"';
  Method method{{SignAlgorithm::kRsaPkcs1, Digest::kSha256, Digest::kNone, 0},
                NID_rsaEncryption,
                NID_sha256,
                {1, 8},
                "CMS-RSA-SHA256"};
  if (key.type() == KeyType::kEc) {
    method = {{SignAlgorithm::kEcdsa, Digest::kSha256, Digest::kNone, 0},
              NID_ecdsa_with_SHA256,
              NID_sha256,
              {19, 8},
              "CMS-ECDSA-SHA256"};
    if (key.bits() > 256)
      method = {{SignAlgorithm::kEcdsa, Digest::kSha384, Digest::kNone, 0},
                NID_ecdsa_with_SHA384,
                NID_sha384,
                {19, 9},
                "CMS-ECDSA-SHA384"};
    if (key.bits() > 384)
      method = {{SignAlgorithm::kEcdsa, Digest::kSha512, Digest::kNone, 0},
                NID_ecdsa_with_SHA512,
                NID_sha512,
                {19, 10},
                "CMS-ECDSA-SHA512"};
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

Bytes encoded(std::uint8_t tag, std::initializer_list<ByteView> parts) {
  Bytes content;
  for (const ByteView part : parts) content.insert(content.end(), part.begin(), part.end());
  return der_encode(tag, content);
}

/// SET OF, in DER's order (X.690 §11.6), under the SET's own tag or an implicit one.
Bytes encoded_set(std::uint8_t tag, std::vector<Bytes> elements) {
  std::ranges::sort(elements);
  Bytes content;
  for (const Bytes& element : elements) content.insert(content.end(), element.begin(), element.end());
  return der_encode(tag, content);
}

Bytes small_integer(std::uint8_t value) { return der_encode(der::kInteger, {&value, 1}); }

Bytes oid(int nid) {
  unsigned char* der = nullptr;
  const int length = i2d_ASN1_OBJECT(OBJ_nid2obj(nid), &der);
  if (length <= 0) throw std::bad_alloc();
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> keep(der, [](unsigned char* p) { OPENSSL_free(p); });
  return {der, der + length};
}

/// Attribute (RFC 5652 §5.3) with one value.
Bytes attribute(int nid, ByteView value) { return encoded(der::kSequence, {oid(nid), der_encode(der::kSet, value)}); }

/// Time (RFC 5652 §11.3): UTCTime through 2049, then GeneralizedTime.
Bytes encoded_time(Time time) {
  ASN1_TIME* text = ASN1_TIME_set(nullptr, time.time_since_epoch().count());
  if (text == nullptr) throw std::bad_alloc();
  const std::unique_ptr<ASN1_TIME, void (*)(ASN1_TIME*)> keep(text, ASN1_TIME_free);
  return der_encode(static_cast<std::uint8_t>(ASN1_STRING_type(text)),
                    {ASN1_STRING_get0_data(text), static_cast<std::size_t>(ASN1_STRING_length(text))});
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

std::string armored(ByteView der) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  char* text = nullptr;
  if (out == nullptr || PEM_write_bio(out.get(), kArmor, "", der.data(), static_cast<long>(der.size())) <= 0) {
    throw std::bad_alloc();
  }
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

/// Why a signature goes without a time stamp; an error where it must not.
Result<std::string> without_time_stamp(const Error& why, const SignRequest& request) {
  if (request.time_stamp_required) {
    return fail(why.code, why.message + "; sign.timestamp_required = true forbids to sign without");
  }
  return why.message +
         "; signed without a time stamp, so that the signature counts as good only until its "
         "certificate expires";
}

}  // namespace

Result<Signed> sign_message(const Identity& identity, ByteView data, const SignRequest& request, const Config& config,
                            const Audit& audit) {
  const auto method = method_of(identity);
  if (!method) return fail(method);
  const LibcryptoUse use;
  const Digest digest = method->scheme.digest;
  Signed result{{}, current_time(), method->numbers, {}};

  const auto content_digest = digest_of(data, digest);
  if (!content_digest) return fail(content_digest);
  const std::vector<Bytes> attributes{
      attribute(NID_pkcs9_contentType, oid(NID_pkcs7_data)),
      attribute(NID_pkcs9_signingTime, encoded_time(result.time)),
      attribute(NID_pkcs9_messageDigest, der_encode(der::kOctetString, *content_digest))};
  // What is signed has the SET's own tag, not the one it goes by in the message (RFC 5652 §5.4).
  const auto to_sign = digest_of(encoded_set(der::kSet, attributes), digest);
  if (!to_sign) return fail(to_sign);
  const auto signature = use_key(identity, *method, *to_sign, audit);
  if (!signature) return fail(signature);

  Bytes unsigned_attributes;
  if (!request.time_stamp.empty()) {
    if (const auto token = request_time_stamp(request.time_stamp, *signature, Trust::load(config))) {
      unsigned_attributes = der_encode(der::context_constructed(1), attribute(NID_id_smime_aa_timeStampToken, *token));
    } else {
      auto warning = without_time_stamp(token.error(), request);
      if (!warning) return fail(warning);
      result.warning = *std::move(warning);
    }
  }

  // Written here rather than by OpenSSL's CMS_sign, which wants each certificate as an X509 of its own: parsing them
  // again took a fifth of the time of `git commit -S`.
  const Bytes digest_algorithm = encoded(der::kSequence, {oid(method->digest_nid)});  // RFC 5754 §2: no parameters
  const Bytes signature_algorithm =
      method->signature_nid == NID_rsaEncryption
          ? encoded(der::kSequence, {oid(NID_rsaEncryption), der_encode(der::kNull, {})})  // RFC 3370 §3.2
          : encoded(der::kSequence, {oid(method->signature_nid)});                         // RFC 5753 §2.1.1
  const Bytes signer_info = encoded(
      der::kSequence, {small_integer(1), encoded(der::kSequence, {identity.leaf->issuer(), identity.leaf->serial()}),
                       digest_algorithm, encoded_set(der::context_constructed(0), attributes), signature_algorithm,
                       der_encode(der::kOctetString, *signature), unsigned_attributes});

  std::vector<Bytes> certificates;
  for (const CertificatePtr& certificate : included(identity, request.include_certs)) {
    certificates.emplace_back(certificate->der().begin(), certificate->der().end());
  }
  const Bytes content =
      request.detached ? Bytes() : der_encode(der::context_constructed(0), der_encode(der::kOctetString, data));
  const Bytes signed_data =
      encoded(der::kSequence,
              {small_integer(1), der_encode(der::kSet, digest_algorithm),
               encoded(der::kSequence, {oid(NID_pkcs7_data), content}),
               certificates.empty() ? Bytes() : encoded_set(der::context_constructed(0), std::move(certificates)),
               der_encode(der::kSet, signer_info)});
  const Bytes message =
      encoded(der::kSequence, {oid(NID_pkcs7_signed), der_encode(der::context_constructed(0), signed_data)});
  result.message = request.armor ? armored(message) : std::string(as_text(message));
  return result;
}

}  // namespace devtrust::cli
