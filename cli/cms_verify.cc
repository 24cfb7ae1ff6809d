#include <openssl/objects.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <new>
#include <set>

#include "cli/cms.h"
#include "cli/time_stamp.h"
#include "cli/validity.h"
#include "identity/der.h"

namespace devtrust::cli {
namespace {

constexpr std::size_t kMaxDetached = std::size_t{1} << 20;  // 64 chains
constexpr std::size_t kMaxId = 32;                          // of a signer that is unknown
constexpr std::size_t kMaxSigners = 16;
constexpr auto kClockSkew = std::chrono::minutes(5);

/// Algorithms whose signatures mean something; all else is refused by name.
struct DigestNumber {
  int nid, number;
};
constexpr std::array<DigestNumber, 7> kDigests{{{NID_sha224, 11},
                                                {NID_sha256, 8},
                                                {NID_sha384, 9},
                                                {NID_sha512, 10},
                                                {NID_sha3_256, 12},
                                                {NID_sha3_384, 0},
                                                {NID_sha3_512, 14}}};

CmsPtr parse_der(ByteView der) {
  CMS_ContentInfo* message = CMS_ContentInfo_new_ex(libctx(), nullptr);
  const unsigned char* cursor = der.data();
  if (message == nullptr || d2i_CMS_ContentInfo(&message, &cursor, static_cast<long>(der.size())) == nullptr) {
    return nullptr;  // d2i has freed it
  }
  return CmsPtr(message);
}

/// smimesign and gpgsm write "SIGNED MESSAGE", OpenSSL "CMS" or "PKCS7".
bool is_armor(std::string_view label) { return label == "SIGNED MESSAGE" || label == "CMS" || label == "PKCS7"; }

Result<CmsPtr> parse(ByteView signature) {
  const std::string_view text = as_text(signature);
  CmsPtr message;
  if (text.find("-----BEGIN ") != std::string_view::npos) {
    const BioPtr in = reader_of(signature);
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long length = 0;
    bool found = false;
    while (!found && PEM_read_bio(in.get(), &name, &header, &data, &length) == 1) {
      found = is_armor(name);
      if (found) message = parse_der({data, static_cast<std::size_t>(length)});
      OPENSSL_free(name);
      OPENSSL_free(header);
      OPENSSL_free(data);
    }
    if (!found)
      return fail(ErrorCode::kCorrupt,
                  "the signature has no block \"SIGNED MESSAGE\", \"CMS\" or \"PKCS7\", or it is damaged");
  } else {
    message = parse_der(signature);
  }
  if (message == nullptr)
    return fail(ErrorCode::kCorrupt, "the signature is damaged: it is not CMS (" + openssl_reason() + ")");
  if (OBJ_obj2nid(CMS_get0_type(message.get())) != NID_pkcs7_signed) {
    return fail(ErrorCode::kCorrupt, "this is a CMS message, but not a signed one");
  }
  if (sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(message.get())) <= 0) {
    return fail(ErrorCode::kCorrupt, "this CMS message holds certificates, and no signature");
  }
  if (static_cast<std::size_t>(sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(message.get()))) > kMaxSigners) {
    return fail(ErrorCode::kCorrupt, "this CMS message has more than 16 signers");
  }
  return message;
}

int digest_nid(CMS_SignerInfo* signer) {
  X509_ALGOR* algorithm = nullptr;
  const ASN1_OBJECT* oid = nullptr;
  CMS_SignerInfo_get0_algs(signer, nullptr, nullptr, &algorithm, nullptr);
  X509_ALGOR_get0(&oid, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(oid);
}

bool is_believed(int nid) {
  return std::ranges::any_of(kDigests, [nid](const DigestNumber& digest) { return digest.nid == nid; });
}

/// Digests the content for all signers: what CMS_SignerInfo_verify_content then compares. CMS_dataInit would nest a
/// digest for each algorithm that the message lists, which nobody signs and which may be a million.
BioPtr digest_content(STACK_OF(CMS_SignerInfo) * signers, ByteView content) {
  BioPtr chain = reader_of(content);
  std::set<int> added;
  for (int i = 0; i < sk_CMS_SignerInfo_num(signers); ++i) {
    const int nid = digest_nid(sk_CMS_SignerInfo_value(signers, i));
    if (!is_believed(nid) || !added.insert(nid).second) continue;
    const std::unique_ptr<EVP_MD, OpensslDeleter<EVP_MD_free>> digest(EVP_MD_fetch(libctx(), OBJ_nid2sn(nid), nullptr));
    BioPtr filter(BIO_new(BIO_f_md()));
    if (digest == nullptr || filter == nullptr || BIO_set_md(filter.get(), digest.get()) != 1) return nullptr;
    chain.reset(BIO_push(filter.release(), chain.release()));
  }
  std::array<unsigned char, 16384> buffer{};
  while (BIO_read(chain.get(), buffer.data(), buffer.size()) > 0) {
  }
  return chain;
}

/// What the message holds itself; empty where it is detached.
ByteView content_of(CMS_ContentInfo* message) {
  ASN1_OCTET_STRING** content = CMS_get0_content(message);
  if (content == nullptr || *content == nullptr) return {};
  return {ASN1_STRING_get0_data(*content), static_cast<std::size_t>(ASN1_STRING_length(*content))};
}

/// Why the signer has not signed `content`, as data; empty where it has.
std::string misfit(CMS_ContentInfo* message, CMS_SignerInfo* signer, BIO* digested, ByteView content) {
  static const char* const changed =
      "the signature does not fit the data: one of them was changed, or the data is another's";
  if (CMS_signed_get_attr_count(signer) >= 0) {
    const auto* type = static_cast<const ASN1_OBJECT*>(
        CMS_signed_get0_data_by_OBJ(signer, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT));
    if (type == nullptr || OBJ_cmp(type, CMS_get0_eContentType(message)) != 0 || CMS_SignerInfo_verify(signer) != 1) {
      return changed;
    }
  } else if (!content.empty() && content[0] == der::kSet) {
    // What is signed is the data, or the attributes as a SET: the one must not pass for the other.
    return "the signature is one over attributes, not over data";
  }
  return digested != nullptr && CMS_SignerInfo_verify_content(signer, digested) == 1 ? std::string() : changed;
}

std::optional<Time> signing_time(const CMS_SignerInfo* signer) {
  const int at = CMS_signed_get_attr_by_NID(signer, NID_pkcs9_signingTime, -1);
  if (at < 0) return std::nullopt;
  const ASN1_TYPE* value = X509_ATTRIBUTE_get0_type(CMS_signed_get_attr(signer, at), 0);
  if (value == nullptr || (value->type != V_ASN1_UTCTIME && value->type != V_ASN1_GENERALIZEDTIME)) return std::nullopt;
  const Time time = to_time(value->value.asn1_string);
  return time == Time{} ? std::nullopt : std::optional(time);
}

/// The token among the attributes that nobody signed; empty where there is none.
Bytes time_stamp_token(const CMS_SignerInfo* signer) {
  const int at = CMS_unsigned_get_attr_by_NID(signer, NID_id_smime_aa_timeStampToken, -1);
  if (at < 0) return {};
  const ASN1_TYPE* value = X509_ATTRIBUTE_get0_type(CMS_unsigned_get_attr(signer, at), 0);
  if (value == nullptr || value->type != V_ASN1_SEQUENCE) return {};
  const unsigned char* der = ASN1_STRING_get0_data(value->value.sequence);
  return {der, der + ASN1_STRING_length(value->value.sequence)};
}

/// What stands for the certificate that is missing.
std::string signer_id(CMS_SignerInfo* signer) {
  ASN1_OCTET_STRING* key = nullptr;
  X509_NAME* issuer = nullptr;
  ASN1_INTEGER* serial = nullptr;
  if (CMS_SignerInfo_get0_signer_id(signer, &key, &issuer, &serial) != 1) return "0";
  const ASN1_STRING* id = key != nullptr ? key : serial;
  const std::string text =
      id != nullptr ? to_hex(ByteView(ASN1_STRING_get0_data(id), static_cast<std::size_t>(ASN1_STRING_length(id)))
                                 .first(std::min(kMaxId, static_cast<std::size_t>(ASN1_STRING_length(id)))))
                    : std::string();
  return text.empty() ? "0" : text;
}

AlgorithmNumbers numbers_of(CMS_SignerInfo* signer, std::string& unsupported) {
  X509_ALGOR* digest = nullptr;
  X509_ALGOR* signature = nullptr;
  CMS_SignerInfo_get0_algs(signer, nullptr, nullptr, &digest, &signature);
  const ASN1_OBJECT* digest_oid = nullptr;
  const ASN1_OBJECT* signature_oid = nullptr;
  X509_ALGOR_get0(&digest_oid, nullptr, nullptr, digest);
  X509_ALGOR_get0(&signature_oid, nullptr, nullptr, signature);
  AlgorithmNumbers numbers;
  const int nid = OBJ_obj2nid(digest_oid);
  const auto* known =
      std::find_if(kDigests.begin(), kDigests.end(), [nid](const DigestNumber& d) { return d.nid == nid; });
  if (known != kDigests.end()) {
    numbers.digest = known->number;
  } else {
    if (nid == NID_sha1) numbers.digest = 2;
    if (nid == NID_md5) numbers.digest = 1;
    std::array<char, 80> name{};
    OBJ_obj2txt(name.data(), name.size(), digest_oid, 0);
    unsupported = std::string("its digest is ") + name.data() + ", which is not believed: SHA-2 or SHA-3 is needed";
  }
  int key_nid = NID_undef;
  int digest_nid = NID_undef;
  const int signature_nid = OBJ_obj2nid(signature_oid);
  if (OBJ_find_sigid_algs(signature_nid, &digest_nid, &key_nid) != 1) key_nid = signature_nid;
  if (key_nid == NID_rsaEncryption || key_nid == NID_rsassaPss) numbers.key = 1;
  if (key_nid == NID_X9_62_id_ecPublicKey) numbers.key = 19;
  if (key_nid == NID_ED25519 || key_nid == NID_ED448) numbers.key = 22;
  return numbers;
}

/// Verdict and reason for a signature that is good in itself.
void judge(SignatureReport& report, STACK_OF(X509) * others, const Trust& trust, Time now) {
  const Time begin = to_time(X509_get0_notBefore(report.signer.get()));
  const Time end = to_time(X509_get0_notAfter(report.signer.get()));
  const bool proven = report.stamped_time.has_value();
  Time at = report.time(now);
  if (!proven && at > now + kClockSkew) at = now;  // a word about the future proves nothing
  const auto say = [&report](Verdict verdict, std::string reason) {
    report.verdict = verdict;
    report.reason = std::move(reason);
  };
  // Whose it is comes before when it was made: of an expired certificate that anybody made there is no more to say.
  // (libcrypto takes the last second for one too late.)
  const Time within = std::max(begin, std::min(at, end - std::chrono::seconds(1)));
  const ChainReport chain = trust.check_signer(report.signer.get(), others, within, report.stamped_time);
  switch (chain.verdict) {
    case ChainVerdict::kTrusted:
      break;
    case ChainVerdict::kUnknownRoot:
      return say(Verdict::kUntrusted, chain.reason);
    case ChainVerdict::kRejected:
      return say(Verdict::kRejected, chain.reason);
    case ChainVerdict::kRevoked:
      return say(Verdict::kRevoked, chain.reason);
  }
  if (at < begin)
    return say(Verdict::kBeforeValid,
               "signed on " + time_text(at) + ", before its certificate was valid (from " + time_text(begin) + ")");
  if (at > end)
    return say(Verdict::kAfterExpiry,
               "signed on " + time_text(at) + ", after its certificate had expired (on " + time_text(end) + ")");
  if (!proven && trust.wants_time_stamp()) {
    return say(Verdict::kRejected,
               "no time stamp that is trusted says when it was made, and verify.timestamp_required asks for one");
  }
  if (!proven && now > chain.valid_until) {
    const std::string whose = now > end
                                  ? "its certificate has expired since (on " + time_text(end)
                                  : "an issuer's certificate has expired since (on " + time_text(chain.valid_until);
    return say(Verdict::kExpiredSince, whose + "), and no time stamp that is trusted says when it was made");
  }
  say(Verdict::kGood, {});
}

void read_stamp(SignatureReport& report, CMS_SignerInfo* signer, const Trust& trust) {
  const Bytes token = time_stamp_token(signer);
  if (token.empty()) return;
  const ASN1_OCTET_STRING* octets = CMS_SignerInfo_get0_signature(signer);
  const auto stamp = read_time_stamp(
      token, {ASN1_STRING_get0_data(octets), static_cast<std::size_t>(ASN1_STRING_length(octets))}, trust);
  if (!stamp) {
    report.note = stamp.error().message + ": it does not count";
  } else if (stamp->problem) {
    report.note = "its time stamp (" + time_text(stamp->time) + ", by \"" + stamp->authority +
                  "\") does not count: " + *stamp->problem +
                  "; where you trust that authority, add its root to verify.timestamp_roots";
  } else {
    report.stamped_time = stamp->time;
    report.note = "time-stamped on " + time_text(stamp->time) + " by \"" + stamp->authority + '"';
  }
}

/// What all signers of a message have in common.
struct Message {
  CMS_ContentInfo* cms;
  ByteView content;
  BIO* digested;
  STACK_OF(X509) * others;
};

SignatureReport report_on(const Message& message, CMS_SignerInfo* signer, const Trust& trust, Time now) {
  SignatureReport report;
  std::string unsupported;
  report.algorithms = numbers_of(signer, unsupported);
  report.signing_time = signing_time(signer);
  X509* certificate = nullptr;
  EVP_PKEY* key = nullptr;
  CMS_SignerInfo_get0_algs(signer, &key, &certificate, nullptr, nullptr);
  if (certificate == nullptr) {
    report.verdict = Verdict::kNoCertificate;
    report.fingerprint = signer_id(signer);
    report.reason = "the signer's certificate is not in the signature, nor among those known here";
    return report;
  }
  X509_up_ref(certificate);
  report.signer.reset(certificate);
  report.fingerprint = fingerprint_of(certificate);
  report.subject = subject_of(certificate);
  if (unsupported.empty() && key == nullptr) unsupported = "its certificate's key is of a type that is not supported";
  if (!unsupported.empty()) {
    report.verdict = Verdict::kUnsupported;
    report.reason = unsupported;
    return report;
  }
  report.reason = misfit(message.cms, signer, message.digested, message.content);
  if (!report.reason.empty()) {
    report.verdict = Verdict::kBad;
    if (EVP_PKEY_is_a(key, "ED25519") != 0 || EVP_PKEY_is_a(key, "ED448") != 0) {
      // OpenSSL 3.0 knows no such signatures in CMS.
      report.verdict = Verdict::kUnsupported;
      report.reason = "its key is an Edwards key, whose CMS signatures this OpenSSL cannot check";
    }
    return report;
  }
  read_stamp(report, signer, trust);
  judge(report, message.others, trust, now);
  return report;
}

}  // namespace

bool is_good(Verdict verdict) { return verdict == Verdict::kGood || verdict == Verdict::kExpiredSince; }

Result<std::vector<SignatureReport>> verify_message(ByteView signature, std::optional<ByteView> data,
                                                    const Trust& trust, const std::vector<CertificatePtr>& known,
                                                    Time now) {
  const LibcryptoUse use;
  if (signature.size() > (data ? kMaxDetached : kMaxSignature))
    return fail(ErrorCode::kCorrupt,
                data ? "the signature is longer than 1 MiB" : "the signature is longer than 64 MiB");
  const auto message = parse(signature);
  if (!message) return fail(message);
  CMS_ContentInfo* cms = message->get();
  if (data && data->size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return fail(ErrorCode::kInvalidArgument, "the data is longer than 2 GiB");
  }
  if (!data && CMS_is_detached(cms) != 0) {
    return fail(ErrorCode::kInvalidArgument, "the signature is detached: name the file that it belongs to as well");
  }
  const X509StackPtr inside(CMS_get1_certs(cms));
  const X509StackPtr others = make_stack();
  for (int i = 0; i < sk_X509_num(inside.get()); ++i) push(others.get(), sk_X509_value(inside.get(), i));
  // The certificate that the SignerInfo names, never the first in the bag; what is known here where the bag has it not.
  CMS_set1_signers_certs(cms, nullptr, 0);
  const X509StackPtr ours = make_stack();
  for (const CertificatePtr& certificate : known) {
    if (const X509Ptr x509 = to_x509(certificate->der())) {
      push(ours.get(), x509.get());
      push(others.get(), x509.get());
    }
  }
  CMS_set1_signers_certs(cms, ours.get(), CMS_NOINTERN);

  STACK_OF(CMS_SignerInfo)* signers = CMS_get0_SignerInfos(cms);
  const ByteView content = data ? *data : content_of(cms);
  const BioPtr digested = digest_content(signers, content);
  const Message common{cms, content, digested.get(), others.get()};
  std::vector<SignatureReport> reports;
  reports.reserve(static_cast<std::size_t>(sk_CMS_SignerInfo_num(signers)));
  for (int i = 0; i < sk_CMS_SignerInfo_num(signers); ++i) {
    reports.push_back(report_on(common, sk_CMS_SignerInfo_value(signers, i), trust, now));
  }
  return reports;
}

}  // namespace devtrust::cli
