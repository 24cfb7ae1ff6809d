#include "cli/openssl_types.h"

#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <new>

namespace devtrust::cli {

X509Ptr to_x509(ByteView der) {
  X509Ptr certificate(X509_new_ex(libctx(), nullptr));
  X509* raw = certificate.release();
  const unsigned char* cursor = der.data();
  if (raw == nullptr || d2i_X509(&raw, &cursor, static_cast<long>(der.size())) == nullptr) {
    return nullptr;  // d2i has freed it
  }
  return X509Ptr(raw);
}

BioPtr reader_of(ByteView bytes) {
  // libcrypto takes a null pointer for an error, of no bytes too
  BioPtr reader(
      BIO_new_mem_buf(bytes.empty() ? "" : static_cast<const void*>(bytes.data()), static_cast<int>(bytes.size())));
  if (reader == nullptr) throw std::bad_alloc();
  return reader;
}

X509StackPtr make_stack() {
  X509StackPtr stack(sk_X509_new_null());
  if (stack == nullptr) throw std::bad_alloc();
  return stack;
}

void push(STACK_OF(X509) * stack, X509* certificate) {
  if (X509_add_cert(stack, certificate, X509_ADD_FLAG_UP_REF) != 1) throw std::bad_alloc();
}

Bytes der_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate, &der);
  Bytes bytes;
  if (length > 0) bytes.assign(der, der + length);
  OPENSSL_free(der);
  return bytes;
}

std::string pem_of(const Certificate& certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  const ByteView der = certificate.der();
  char* text = nullptr;
  if (out == nullptr || PEM_write_bio(out.get(), PEM_STRING_X509, "", der.data(), static_cast<long>(der.size())) <= 0) {
    throw std::bad_alloc();
  }
  const long length = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(length)};
}

std::string subject_of(const X509* certificate) {
  const unsigned char* der = nullptr;
  std::size_t length = 0;
  if (X509_NAME_get0_der(X509_get_subject_name(certificate), &der, &length) != 1) return {};
  return name_text({der, length});
}

Time to_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  const std::chrono::year_month_day date(std::chrono::year(parts.tm_year + 1900),
                                         std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
                                         std::chrono::day(static_cast<unsigned>(parts.tm_mday)));
  return std::chrono::sys_days(date) + std::chrono::hours(parts.tm_hour) + std::chrono::minutes(parts.tm_min) +
         std::chrono::seconds(parts.tm_sec);
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (X509_digest(certificate, fetched_md(Digest::kSha1), digest.data(), &length) != 1) length = 0;
  std::string text = to_hex(ByteView(digest.data(), length));
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

}  // namespace devtrust::cli
