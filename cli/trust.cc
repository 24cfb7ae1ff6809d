#include "cli/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <new>

#include "cli/file_system.h"
#include "identity/process.h"
#include "identity/trusted_file.h"

#include <fmt/format.h>

namespace devtrust::cli {
namespace {

constexpr std::size_t kMaxRoots = std::size_t{8} << 20;  // a whole bundle of web roots is a quarter of a megabyte
constexpr int kSecurityLevel = 2;                        // Debian's: 112 bits, so neither SHA-1 nor RSA-1024
constexpr int kMaxDepth = 10;

std::string in_quotes(const X509* certificate) { return '"' + subject_of(certificate) + '"'; }

bool self_issued(const X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
}

/// What a signer's certificate may be for, where it says so.
constexpr std::uint32_t kPurposes = XKU_SSL_CLIENT | XKU_SMIME | XKU_CODE_SIGN;

/// Of kPurposes those that this certificate is for.
std::uint32_t purposes_of(X509* certificate) {
  const std::uint32_t named = X509_get_extended_key_usage(certificate);  // all bits where it names none
  return (named & XKU_ANYEKU) != 0 ? kPurposes : named & kPurposes;
}

/// Why this chain, the leaf first, was not meant for signatures; empty where it was.
std::string wrong_purpose(STACK_OF(X509) * chain) {
  X509* const leaf = sk_X509_value(chain, 0);
  if ((X509_get_key_usage(leaf) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0) {
    return in_quotes(leaf) + ": its key usage does not allow signatures";
  }
  std::uint32_t purposes = kPurposes;
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* const certificate = sk_X509_value(chain, i);
    purposes &= purposes_of(certificate);
    if (purposes == 0) {
      return in_quotes(certificate) +
             ": it is for another purpose: its extended key usage, with those below it, leaves none of client "
             "authentication, e-mail and code";
    }
  }
  return {};
}

/// Whether a list that the issuer signed names a certificate that libcrypto has found to be in order. The lists' own
/// dates decide nothing: the time of the check may be the signer's own word, and must not choose among them.
int check_revocation(int ok, X509_STORE_CTX* context) {
  STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  const int depth = X509_STORE_CTX_get_error_depth(context);
  if (ok != 1 || depth + 1 >= sk_X509_num(chain)) return ok;  // nobody lists a root
  X509* const issuer = sk_X509_value(chain, depth + 1);
  const auto* proven = static_cast<const Time*>(X509_STORE_CTX_get_app_data(context));
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(X509_STORE_CTX_get0_store(context));
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    X509_CRL* const list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
    X509_REVOKED* entry = nullptr;
    if (list == nullptr || X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(issuer)) != 0 ||
        X509_CRL_verify(list, X509_get0_pubkey(issuer)) != 1 ||
        X509_CRL_get0_by_cert(list, &entry, sk_X509_value(chain, depth)) != 1) {
      continue;
    }
    if (proven != nullptr && to_time(X509_REVOKED_get0_revocationDate(entry)) > *proven) continue;
    X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_REVOKED);
    return 0;
  }
  return ok;
}

ChainReport explain(X509_STORE_CTX* context, const X509* leaf) {
  const int error = X509_STORE_CTX_get_error(context);
  const X509* at = X509_STORE_CTX_get_current_cert(context);
  switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
      const unsigned char* der = nullptr;
      std::size_t length = 0;
      X509_NAME_get0_der(X509_get_issuer_name(at != nullptr ? at : leaf), &der, &length);
      return {ChainVerdict::kUnknownRoot,
              "its issuer \"" + name_text({der, length}) +
                  "\" is neither in the signature nor among verify.roots: where you trust it, add its root there",
              {}};
    }
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return {ChainVerdict::kUnknownRoot,
              "its root " + in_quotes(at != nullptr ? at : leaf) +
                  " is not among verify.roots: where you trust it, add it there",
              {}};
    case X509_V_ERR_CERT_REVOKED:
      return {ChainVerdict::kRevoked, in_quotes(at != nullptr ? at : leaf) + " was revoked", {}};
    default:
      return {ChainVerdict::kRejected,
              fmt::format("{}: {}", in_quotes(at != nullptr ? at : leaf), X509_verify_cert_error_string(error)),
              {}};
  }
}

}  // namespace

std::string system_roots_file() { return text_of(path_of(system_config_folder() + "/roots.pem")); }

std::string user_roots_file() {
  const std::string home = config_home();
  return home.empty() ? std::string() : text_of(path_of(home + "/devtrust/roots.pem"));
}

Trust Trust::load(const Config& config) {
  Trust trust;
  if (config.verify.roots.empty()) {
    trust.read(system_roots_file(), false, trust.roots_);
    if (const std::string own = user_roots_file(); !own.empty()) trust.read(own, false, trust.roots_);
  }
  trust.allowed_.matches = config.verify.allow;
  trust.time_stamp_required_ = config.verify.timestamp_required;
  for (const std::string& path : config.verify.roots) trust.read(path, true, trust.roots_);
  for (const std::string& path : config.verify.timestamp_roots) trust.read(path, true, trust.time_stamp_roots_);
  return trust;
}

void Trust::read(const std::string& path, bool must_exist, Anchors& into) {
  const auto text = read_trusted_text(path, kMaxRoots);
  if (!text) {
    if (must_exist || text.error().code != ErrorCode::kNotFound) {
      problems_.push_back("the roots in " + path + " are not used: " + text.error().message);
    }
    return;
  }
  read_blocks(path, as_bytes(*text), into);
}

void Trust::read_blocks(const std::string& path, ByteView text, Anchors& into) {
  const LibcryptoUse use;
  const BioPtr in = reader_of(text);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long length = 0;
  int number = 0;
  while (PEM_read_bio(in.get(), &name, &header, &data, &length) == 1) {
    const std::string label = name;
    const Bytes der(data, data + length);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    ++number;
    if (label == PEM_STRING_X509 || label == PEM_STRING_X509_OLD) {
      if (X509Ptr certificate = to_x509(der)) {
        into.certificates.push_back(std::move(certificate));
        continue;
      }
    } else if (label == PEM_STRING_X509_CRL) {
      X509_CRL* list = X509_CRL_new_ex(libctx(), nullptr);
      const unsigned char* cursor = der.data();
      if (list != nullptr && d2i_X509_CRL(&list, &cursor, static_cast<long>(der.size())) != nullptr) {
        into.lists.emplace_back(list);
        continue;
      }
    }
    problems_.push_back(
        fmt::format("{}: its PEM block {} ({}) is neither a certificate nor a revocation list", path, number, label));
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    problems_.push_back(fmt::format("{}: its PEM block {} is damaged: {}", path, number + 1, openssl_reason()));
  } else if (number == 0) {
    problems_.push_back(path + " holds no certificate in PEM");
  }
}

X509StorePtr Trust::store_of(const std::vector<const Anchors*>& sets, Time time) {
  X509StorePtr store(X509_STORE_new());
  if (store == nullptr) throw std::bad_alloc();
  for (const Anchors* set : sets) {
    for (const X509Ptr& certificate : set->certificates) {
      if (self_issued(certificate.get())) X509_STORE_add_cert(store.get(), certificate.get());
    }
    for (const X509CrlPtr& list : set->lists) X509_STORE_add_crl(store.get(), list.get());
  }
  X509_VERIFY_PARAM* rules = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_time(rules, time.time_since_epoch().count());  // to_time_t overflows in 2262
  X509_VERIFY_PARAM_set_auth_level(rules, kSecurityLevel);
  X509_VERIFY_PARAM_set_depth(rules, kMaxDepth);
  X509_STORE_set_verify_cb(store.get(), check_revocation);
  return store;
}

ChainReport Trust::check_signer(X509* leaf, STACK_OF(X509) * others, Time time, std::optional<Time> proven) const {
  const X509StorePtr store = store_of({&roots_}, time);
  const X509StackPtr untrusted = make_stack();
  for (int i = 0; i < sk_X509_num(others); ++i) push(untrusted.get(), sk_X509_value(others, i));
  for (const X509Ptr& certificate : roots_.certificates) push(untrusted.get(), certificate.get());
  const X509StoreCtxPtr context(X509_STORE_CTX_new_ex(libctx(), nullptr));
  if (context == nullptr || X509_STORE_CTX_init(context.get(), store.get(), leaf, untrusted.get()) != 1) {
    throw std::bad_alloc();
  }
  X509_STORE_CTX_set_app_data(context.get(), proven ? &*proven : nullptr);
  if (X509_verify_cert(context.get()) != 1) return explain(context.get(), leaf);
  STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context.get());
  if (std::string reason = wrong_purpose(chain); !reason.empty()) {
    return {ChainVerdict::kRejected, std::move(reason), {}};
  }
  if (!allowed(chain)) {
    return {ChainVerdict::kRejected, in_quotes(leaf) + " is none of those that verify.allow names", {}};
  }
  if (!problems_.empty()) {
    return {ChainVerdict::kRejected,
            "whom to believe is not known as long as a part of verify.roots is missing: " + problems_.front(),
            {}};
  }
  ChainReport report{ChainVerdict::kTrusted, {}, Time::max()};
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    report.valid_until = std::min(report.valid_until, to_time(X509_get0_notAfter(sk_X509_value(chain, i))));
  }
  return report;
}

bool Trust::allowed(STACK_OF(X509) * chain) const {
  if (allowed_.matches.empty()) return true;
  CertificatePtr leaf;
  Chain rest{{}, true, false};
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    auto certificate = Certificate::parse(der_of(sk_X509_value(chain, i)));
    if (!certificate) return false;
    if (leaf == nullptr) {
      leaf = *std::move(certificate);
    } else {
      rest.issuers.push_back(*std::move(certificate));
    }
  }
  return leaf != nullptr && profile_matches(allowed_, *leaf, rest);
}

X509StorePtr Trust::time_stamp_store(Time time) const { return store_of({&roots_, &time_stamp_roots_}, time); }

}  // namespace devtrust::cli
