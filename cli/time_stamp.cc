#include "cli/time_stamp.h"

#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/rand.h>

#include <array>
#include <new>

#include <fmt/format.h>

namespace devtrust::cli {
namespace {

// libcrypto's TS functions know no library context. They work in the default one, which main() keeps from reading
// openssl.cnf.

using RequestPtr = std::unique_ptr<TS_REQ, OpensslDeleter<TS_REQ_free>>;
using ResponsePtr = std::unique_ptr<TS_RESP, OpensslDeleter<TS_RESP_free>>;
using ImprintPtr = std::unique_ptr<TS_MSG_IMPRINT, OpensslDeleter<TS_MSG_IMPRINT_free>>;
using InfoPtr = std::unique_ptr<TS_TST_INFO, OpensslDeleter<TS_TST_INFO_free>>;
using CheckPtr = std::unique_ptr<TS_VERIFY_CTX, OpensslDeleter<TS_VERIFY_CTX_free>>;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, OpensslDeleter<X509_ALGOR_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, OpensslDeleter<ASN1_INTEGER_free>>;

constexpr int kSeconds = 10;
constexpr std::size_t kMaxResponse = std::size_t{1} << 20;

struct OpensslFree {
  void operator()(char* text) const { OPENSSL_free(text); }
};
using TextPtr = std::unique_ptr<char, OpensslFree>;

struct Address {
  std::string host, port, path;
};

Result<Address> parse_url(const std::string& url) {
  const LibcryptoUse use;
  int tls = 0;
  char* user = nullptr;
  char* host = nullptr;
  char* port = nullptr;
  char* path = nullptr;
  char* query = nullptr;
  const int parsed = OSSL_HTTP_parse_url(url.c_str(), &tls, &user, &host, &port, nullptr, &path, &query, nullptr);
  const std::array<TextPtr, 5> keep{TextPtr(user), TextPtr(host), TextPtr(port), TextPtr(path), TextPtr(query)};
  if (parsed != 1) {
    return fail(ErrorCode::kInvalidArgument,
                "the time stamp authority \"" + url + "\" is not a URL: expected http://HOST/PATH");
  }
  if (tls != 0) {
    return fail(ErrorCode::kUnsupported, "the time stamp authority " + url +
                                             " is named by https://, which is not supported: time stamps are signed "
                                             "themselves, so name it by http://");
  }
  std::string target = path;
  if (query != nullptr && *query != '\0') target += std::string("?") + query;
  return Address{host, port, target};
}

RequestPtr make_request(ByteView signature) {
  std::array<unsigned char, 32> digest{};
  std::array<unsigned char, 8> nonce{};
  RequestPtr request(TS_REQ_new());
  const ImprintPtr imprint(TS_MSG_IMPRINT_new());
  const AlgorithmPtr algorithm(X509_ALGOR_new());
  const IntegerPtr number(ASN1_INTEGER_new());
  if (request == nullptr || imprint == nullptr || algorithm == nullptr || number == nullptr) return nullptr;
  const bool digested =
      EVP_Digest(signature.data(), signature.size(), digest.data(), nullptr, fetched_md(Digest::kSha256), nullptr) == 1;
  std::uint64_t random = 0;
  if (RAND_bytes_ex(libctx(), nonce.data(), nonce.size(), 0) != 1) return nullptr;
  for (const unsigned char byte : nonce) random = random << 8U | byte;
  const bool complete =
      digested && X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr) == 1 &&
      TS_MSG_IMPRINT_set_algo(imprint.get(), algorithm.get()) == 1 &&
      TS_MSG_IMPRINT_set_msg(imprint.get(), digest.data(), static_cast<int>(digest.size())) == 1 &&
      TS_REQ_set_version(request.get(), 1) == 1 && TS_REQ_set_msg_imprint(request.get(), imprint.get()) == 1 &&
      ASN1_INTEGER_set_uint64(number.get(), random) == 1 && TS_REQ_set_nonce(request.get(), number.get()) == 1 &&
      TS_REQ_set_cert_req(request.get(), 1) == 1;
  return complete ? std::move(request) : nullptr;
}

/// libcrypto's reason, and what it knows beside it ("host=…", "Connection refused").
std::string http_reason() {
  const char* data = nullptr;
  int flags = 0;
  std::string text;
  for (unsigned long code = 0; (code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) != 0;) {
    const char* reason = ERR_reason_error_string(code);
    const std::string part = reason != nullptr        ? reason
                             : ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code))
                                                      : "";
    if (text.empty() && !part.empty()) text = part;
  }
  return text.empty() ? "no answer" : text;
}

Result<ResponsePtr> ask(const Address& address, const std::string& url, const TS_REQ* request) {
  const BioPtr body(BIO_new(BIO_s_mem()));
  if (body == nullptr || i2d_TS_REQ_bio(body.get(), request) != 1) throw std::bad_alloc();
  const BioPtr answer(OSSL_HTTP_transfer(nullptr, address.host.c_str(), address.port.c_str(), address.path.c_str(), 0,
                                         nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, 0, nullptr,
                                         "application/timestamp-query", body.get(), "application/timestamp-reply", 1,
                                         kMaxResponse, kSeconds, 0));
  if (answer == nullptr) {
    return fail(ErrorCode::kIo, "the time stamp authority " + url + " gave no time stamp: " + http_reason());
  }
  ResponsePtr response(d2i_TS_RESP_bio(answer.get(), nullptr));
  if (response == nullptr) {
    return fail(ErrorCode::kIo, "what the time stamp authority " + url + " answered is no time stamp (RFC 3161)");
  }
  return response;
}

Result<Bytes> encode(PKCS7* token) {
  unsigned char* der = nullptr;
  const int length = i2d_PKCS7(token, &der);
  if (length <= 0) return fail(ErrorCode::kInternal, "a time stamp cannot be encoded");
  Bytes bytes(der, der + length);
  OPENSSL_free(der);
  return bytes;
}

/// Collisions are known for SHA-1, and a token may say any algorithm.
bool is_sha2(const TS_TST_INFO* info) {
  const ASN1_OBJECT* algorithm = nullptr;
  X509_ALGOR_get0(&algorithm, nullptr, nullptr,
                  TS_MSG_IMPRINT_get_algo(TS_TST_INFO_get_msg_imprint(const_cast<TS_TST_INFO*>(info))));
  const int nid = OBJ_obj2nid(algorithm);
  return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

std::string authority_of(PKCS7* token) {
  const X509StackPtr none = make_stack();
  STACK_OF(X509)* signers = PKCS7_get0_signers(token, none.get(), 0);
  std::string name = sk_X509_num(signers) > 0 ? subject_of(sk_X509_value(signers, 0)) : std::string();
  sk_X509_free(signers);
  return name;
}

/// libcrypto nests a digest for each algorithm that a token lists, which nobody signs and which may be a million.
bool lists_too_many_digests(const PKCS7* token) {
  constexpr int kMax = 16;
  return sk_X509_ALGOR_num(token->d.sign->md_algs) > kMax;
}

/// Whether the token is signed by the certificate that it brings along.
bool is_signed(PKCS7* token) { return PKCS7_verify(token, nullptr, nullptr, nullptr, nullptr, PKCS7_NOVERIFY) == 1; }

/// `what`: TS_VFY_… flags. Null: it holds; else the reason.
std::optional<std::string> check(PKCS7* token, ByteView signature, unsigned what, X509StorePtr store) {
  const CheckPtr context(TS_VERIFY_CTX_new());
  if (context == nullptr) throw std::bad_alloc();
  TS_VERIFY_CTX_set_flags(context.get(), static_cast<int>(what));
  TS_VERIFY_CTX_set_data(context.get(), reader_of(signature).release());
  TS_VERIFY_CTX_set_store(context.get(), store.release());
  if (TS_RESP_verify_token(context.get(), token) == 1) return std::nullopt;
  return openssl_reason();
}

}  // namespace

Result<Bytes> request_time_stamp(const std::string& url, ByteView signature, const Trust& trust) {
  const auto address = parse_url(url);
  if (!address) return fail(address);
  const LibcryptoUse use;
  const RequestPtr request = make_request(signature);
  if (request == nullptr) return fail(ErrorCode::kInternal, "a time stamp cannot be asked for: " + openssl_reason());
  const auto response = ask(*address, url, request.get());
  if (!response) return fail(response);
  const CheckPtr context(TS_REQ_to_TS_VERIFY_CTX(request.get(), nullptr));
  if (context == nullptr) throw std::bad_alloc();
  if (TS_RESP_verify_response(context.get(), response->get()) != 1) {
    return fail(ErrorCode::kIo,
                "the time stamp authority " + url + " refused, or answered something else: " + openssl_reason());
  }
  PKCS7* token = TS_RESP_get_token(response->get());
  if (lists_too_many_digests(token) || !is_signed(token)) {
    return fail(ErrorCode::kSignatureInvalid,
                "what the time stamp authority " + url + " answered is not signed, or was changed on its way");
  }
  auto der = encode(token);
  if (!der || !trust.has_time_stamp_roots()) return der;
  const auto stamp = read_time_stamp(*der, signature, trust);
  if (!stamp) return fail(stamp);
  if (stamp->problem) {
    return fail(ErrorCode::kSignatureInvalid,
                "the time stamp authority " + url + " signs as \"" + stamp->authority +
                    "\", which verify.timestamp_roots does not believe: " + *stamp->problem);
  }
  return der;
}

Result<TimeStamp> read_time_stamp(ByteView token_der, ByteView signature, const Trust& trust) {
  const LibcryptoUse use;
  const unsigned char* cursor = token_der.data();
  const Pkcs7Ptr token(d2i_PKCS7(nullptr, &cursor, static_cast<long>(token_der.size())));
  const InfoPtr info(token != nullptr && PKCS7_type_is_signed(token.get()) ? PKCS7_to_TS_TST_INFO(token.get())
                                                                           : nullptr);
  if (info == nullptr || lists_too_many_digests(token.get()))
    return fail(ErrorCode::kSignatureInvalid, "what stands for a time stamp is none");
  if (!is_sha2(info.get()))
    return fail(ErrorCode::kSignatureInvalid, "the time stamp's digest is not SHA-256 or longer");
  const Time time = to_time(TS_TST_INFO_get_time(info.get()));
  if (const auto problem = check(token.get(), signature, TS_VFY_VERSION | TS_VFY_DATA, nullptr)) {
    return fail(ErrorCode::kSignatureInvalid, "the time stamp is not one of this signature: " + *problem);
  }
  TimeStamp stamp{time, authority_of(token.get()), std::nullopt};
  stamp.problem = check(token.get(), signature, TS_VFY_SIGNATURE, trust.time_stamp_store(time));
  return stamp;
}

}  // namespace devtrust::cli
