#include "identity/certificate.h"

#include <openssl/asn1t.h>
#include <openssl/x509.h>

#include <algorithm>
#include <string_view>

#include "identity/der.h"
#include "identity/openssl.h"

namespace devtrust {
namespace {

constexpr std::size_t kMaxSize = 64 * std::size_t{1024};

constexpr std::string_view kCommonName = "2.5.4.3";
constexpr std::string_view kEmailAddress = "1.2.840.113549.1.9.1";
constexpr std::array<std::uint8_t, 3> kSubjectKeyId{0x55, 0x1D, 0x0E};
constexpr std::array<std::uint8_t, 3> kKeyUsage{0x55, 0x1D, 0x0F};
constexpr std::array<std::uint8_t, 3> kSubjectAltName{0x55, 0x1D, 0x11};
constexpr std::array<std::uint8_t, 3> kBasicConstraints{0x55, 0x1D, 0x13};
constexpr std::array<std::uint8_t, 3> kAuthorityKeyId{0x55, 0x1D, 0x23};
constexpr std::array<std::uint8_t, 3> kExtendedKeyUsage{0x55, 0x1D, 0x25};

using NamePtr = std::unique_ptr<X509_NAME, OpensslDeleter<X509_NAME_free>>;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, OpensslDeleter<X509_ALGOR_free>>;
using BitStringPtr = std::unique_ptr<ASN1_BIT_STRING, OpensslDeleter<ASN1_BIT_STRING_free>>;
using TypePtr = std::unique_ptr<ASN1_TYPE, OpensslDeleter<ASN1_TYPE_free>>;

tl::unexpected<Error> corrupt(const std::string& what) {
  return fail(ErrorCode::kCorrupt, "the certificate is damaged: " + what);
}

void append_utf8(std::string& text, std::uint32_t point) {
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0U | point >> 6U);
    text += static_cast<char>(0x80U | (point & 0x3FU));
  } else if (point < 0x10000) {
    text += static_cast<char>(0xE0U | point >> 12U);
    text += static_cast<char>(0x80U | (point >> 6U & 0x3FU));
    text += static_cast<char>(0x80U | (point & 0x3FU));
  } else if (point < 0x110000) {
    text += static_cast<char>(0xF0U | point >> 18U);
    text += static_cast<char>(0x80U | (point >> 12U & 0x3FU));
    text += static_cast<char>(0x80U | (point >> 6U & 0x3FU));
    text += static_cast<char>(0x80U | (point & 0x3FU));
  }
}

/// Any of the string types of a Name, as UTF-8.
std::string string_text(const DerElement& value) {
  std::size_t width = 1;
  if (value.tag == der::kBmpString) width = 2;
  if (value.tag == der::kUniversalString) width = 4;
  if (width == 1 && value.tag != der::kT61String) return std::string(as_text(value.content));
  std::string text;
  for (std::size_t i = 0; i + width <= value.content.size(); i += width) {
    std::uint32_t point = 0;
    for (std::size_t j = 0; j < width; ++j) point = point << 8U | value.content[i + j];
    append_utf8(text, point);
  }
  return text;
}

/// The last value of an attribute, the most specific one; empty where the Name has none.
std::string last_value(const std::vector<NameAttribute>& attributes, std::string_view oid) {
  const auto found = std::ranges::find(attributes.rbegin(), attributes.rend(), oid, &NameAttribute::oid);
  return found != attributes.rend() ? found->value : std::string();
}

/// UTCTime and GeneralizedTime in the forms that RFC 5280 §4.1.2.5 allows.
std::optional<Time> parse_time(const DerElement& element) {
  const std::string_view text = as_text(element.content);
  const bool generalized = element.tag == der::kGeneralizedTime;
  const std::size_t year_digits = generalized ? 4 : 2;
  if (text.size() != year_digits + 11 || text.back() != 'Z') return std::nullopt;
  if (!std::ranges::all_of(text.substr(0, text.size() - 1), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  const auto number = [&text](std::size_t at, std::size_t digits) {
    unsigned value = 0;
    for (std::size_t i = at; i < at + digits; ++i) value = value * 10 + static_cast<unsigned>(text[i] - '0');
    return value;
  };
  unsigned year = number(0, year_digits);
  if (!generalized) year += year < 50 ? 2000 : 1900;
  const unsigned hour = number(year_digits + 4, 2);
  const unsigned minute = number(year_digits + 6, 2);
  const unsigned second = number(year_digits + 8, 2);
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(number(year_digits, 2)),
                                         std::chrono::day(number(year_digits + 2, 2))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

bool is_time(std::uint8_t tag) { return tag == der::kUtcTime || tag == der::kGeneralizedTime; }

struct Outer {
  DerElement tbs, algorithm, signature;
};

std::optional<Outer> parse_outer(ByteView der) {
  const auto certificate = der_single(der, der::kSequence);
  if (!certificate) return std::nullopt;
  DerReader reader(certificate->content);
  const auto tbs = reader.next(der::kSequence);
  const auto algorithm = reader.next(der::kSequence);
  const auto signature = reader.next(der::kBitString);
  if (!tbs || !algorithm || !signature || !reader.empty()) return std::nullopt;
  return Outer{*tbs, *algorithm, *signature};
}

}  // namespace

std::vector<NameAttribute> name_attributes(ByteView name) {
  std::vector<NameAttribute> attributes;
  const auto sequence = der_single(name, der::kSequence);
  if (!sequence) return attributes;
  DerReader rdns(sequence->content);
  while (const auto rdn = rdns.next(der::kSet)) {
    DerReader set(rdn->content);
    while (const auto attribute = set.next(der::kSequence)) {
      DerReader fields(attribute->content);
      const auto type = fields.next(der::kOid);
      const auto value = fields.next();
      if (type && value) attributes.push_back({oid_text(type->content), string_text(*value)});
    }
  }
  return attributes;
}

/// What the extensions say. One that is broken is left out: the certificate still names its key, and whoever relies on
/// the extension finds it absent.
struct CertificateExtensions {
  std::optional<Bytes> subject_key_id, authority_key_id;
  std::optional<std::uint32_t> key_usage;
  std::vector<std::string> extended_key_usage, oids, emails;
  bool ca = false;

  void take(ByteView oid, ByteView value) {
    oids.push_back(oid_text(oid));
    if (equal(oid, kSubjectKeyId)) {
      if (const auto id = der_single(value, der::kOctetString)) subject_key_id = to_bytes(id->content);
    } else if (equal(oid, kKeyUsage)) {
      take_key_usage(value);
    } else if (const auto sequence = der_single(value, der::kSequence)) {
      take_sequence(oid, DerReader(sequence->content));
    }
  }

 private:
  void take_key_usage(ByteView value) {
    const auto bits = der_single(value, der::kBitString);
    if (!bits || bits->content.size() < 2) return;
    // libcrypto's KU_* numbering: the first octet as it stands, the second above it.
    key_usage = bits->content[1];
    if (bits->content.size() > 2) *key_usage |= static_cast<std::uint32_t>(bits->content[2]) << 8U;
  }

  void take_sequence(ByteView oid, DerReader reader) {
    if (equal(oid, kBasicConstraints)) {
      const auto flag = reader.next(der::kBoolean);
      ca = flag && flag->content.size() == 1 && flag->content[0] != 0;
    } else if (equal(oid, kAuthorityKeyId)) {
      if (const auto id = reader.next(der::context(0))) authority_key_id = to_bytes(id->content);
    } else if (equal(oid, kExtendedKeyUsage)) {
      while (const auto purpose = reader.next(der::kOid)) extended_key_usage.push_back(oid_text(purpose->content));
    } else if (equal(oid, kSubjectAltName)) {
      while (const auto name = reader.next()) {
        if (name->tag == der::context(1)) emails.emplace_back(as_text(name->content));
      }
    }
  }
};

Result<CertificatePtr> Certificate::parse(ByteView der) {
  if (der.size() > kMaxSize) return corrupt("it is longer than 64 KiB");
  const auto outer = parse_outer(der);
  if (!outer) return corrupt("it is not one DER certificate");

  DerReader tbs(outer->tbs.content);
  const auto version = tbs.next(der::context_constructed(0));
  const auto serial = tbs.next(der::kInteger);
  const auto algorithm = tbs.next(der::kSequence);
  const auto issuer = tbs.next(der::kSequence);
  const auto validity = tbs.next(der::kSequence);
  const auto subject = tbs.next(der::kSequence);
  const auto spki = tbs.next(der::kSequence);
  if (!serial || serial->content.empty() || !algorithm || !issuer || !validity || !subject || !spki) {
    return corrupt("a field is missing");
  }
  DerReader times(validity->content);
  const auto from = times.next();
  const auto until = times.next();
  if (!from || !until || !is_time(from->tag) || !is_time(until->tag)) return corrupt("its validity has no two times");
  const auto not_before = parse_time(*from);
  const auto not_after = parse_time(*until);
  if (!not_before || !not_after) return corrupt("its validity is not a time");

  auto key = PublicKey::from_spki(spki->whole);
  if (!key) return fail(key.error().code, "the certificate's key cannot be used: " + key.error().message);

  while (!tbs.empty() && tbs.peek() != der::context_constructed(3)) {  // the unique identifiers of version 2
    if (!tbs.next()) return corrupt("what follows the key is not DER");
  }
  CertificateExtensions extensions;
  if (const auto wrapper = tbs.next(der::context_constructed(3))) {
    const auto list = der_single(wrapper->content, der::kSequence);
    if (!list) return corrupt("its extensions are no list");
    DerReader reader(list->content);
    while (!reader.empty()) {
      const auto extension = reader.next(der::kSequence);
      if (!extension) return corrupt("an extension is not DER");
      DerReader fields(extension->content);
      const auto oid = fields.next(der::kOid);
      fields.next(der::kBoolean);
      const auto value = fields.next(der::kOctetString);
      if (!oid || !value) return corrupt("an extension has no name or no value");
      extensions.take(oid->content, value->content);
    }
  }
  if (!tbs.empty()) return corrupt("something follows its extensions");

  const std::shared_ptr<Certificate> made(new Certificate(*std::move(key)));
  made->der_ = to_bytes(der);
  made->subject_ = to_bytes(subject->whole);
  made->issuer_ = to_bytes(issuer->whole);
  made->serial_ = to_bytes(serial->whole);
  made->spki_ =
      ByteView(made->der_).subspan(static_cast<std::size_t>(spki->whole.data() - der.data()), spki->whole.size());
  const auto subject_attributes = name_attributes(subject->whole);
  made->common_name_ = last_value(subject_attributes, kCommonName);
  made->issuer_common_name_ = last_value(name_attributes(issuer->whole), kCommonName);
  made->not_before_ = *not_before;
  made->not_after_ = *not_after;
  made->emails_ = std::move(extensions.emails);
  const std::string subject_email = last_value(subject_attributes, kEmailAddress);
  if (!subject_email.empty() && std::ranges::find(made->emails_, subject_email) == made->emails_.end()) {
    made->emails_.push_back(subject_email);
  }
  made->key_usage_ = extensions.key_usage;
  made->extended_key_usage_ = std::move(extensions.extended_key_usage);
  made->extension_oids_ = std::move(extensions.oids);
  made->is_ca_ = extensions.ca || (!version && made->self_issued());
  made->subject_key_id_ = std::move(extensions.subject_key_id);
  made->authority_key_id_ = std::move(extensions.authority_key_id);

  const LibcryptoUse use;
  if (EVP_Digest(made->der_.data(), made->der_.size(), made->sha256_.data(), nullptr, fetched_md(Digest::kSha256),
                 nullptr) != 1) {
    return fail(ErrorCode::kInternal, "SHA-256 is not available in libcrypto");
  }
  return made;
}

std::string name_text(ByteView der) {
  const LibcryptoUse use;
  const unsigned char* cursor = der.data();
  const NamePtr name(d2i_X509_NAME(nullptr, &cursor, static_cast<long>(der.size())));
  const BioPtr out(BIO_new(BIO_s_mem()));
  constexpr unsigned long kUtf8 = XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  if (name == nullptr || out == nullptr || X509_NAME_print_ex(out.get(), name.get(), 0, kUtf8) < 0) return {};
  char* text = nullptr;
  const long length = BIO_get_mem_data(out.get(), &text);
  return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : std::string();
}

bool Certificate::for_pss_only() const {
  const auto spki = der_single(spki_, der::kSequence);
  const auto algorithm = spki ? DerReader(spki->content).next(der::kSequence) : std::nullopt;
  const auto oid = algorithm ? DerReader(algorithm->content).next(der::kOid) : std::nullopt;
  return oid && oid_text(oid->content) == "1.2.840.113549.1.1.10";
}

std::string Certificate::subject_text() const { return name_text(subject_); }
std::string Certificate::issuer_text() const { return name_text(issuer_); }

bool Certificate::signed_by(const Certificate& issuer) const {
  const LibcryptoUse use;
  const auto outer = parse_outer(der_);
  EVP_PKEY* key = issuer.public_key().evp();
  if (!outer || key == nullptr) return false;
  // The algorithm outside must be the one that was signed (RFC 5280 §4.1.1.2).
  DerReader tbs(outer->tbs.content);
  tbs.next(der::context_constructed(0));
  tbs.next(der::kInteger);
  const auto inner = tbs.next(der::kSequence);
  if (!inner || !equal(inner->whole, outer->algorithm.whole)) return false;

  const unsigned char* cursor = outer->algorithm.whole.data();
  const AlgorithmPtr algorithm(d2i_X509_ALGOR(nullptr, &cursor, static_cast<long>(outer->algorithm.whole.size())));
  cursor = outer->signature.whole.data();
  const BitStringPtr signature(d2i_ASN1_BIT_STRING(nullptr, &cursor, static_cast<long>(outer->signature.whole.size())));
  cursor = outer->tbs.whole.data();
  const TypePtr signed_part(d2i_ASN1_TYPE(nullptr, &cursor, static_cast<long>(outer->tbs.whole.size())));
  return algorithm != nullptr && signature != nullptr && signed_part != nullptr &&
         ASN1_item_verify_ex(ASN1_ITEM_rptr(ASN1_ANY), algorithm.get(), signature.get(), signed_part.get(), nullptr,
                             key, libctx(), nullptr) == 1;
}

}  // namespace devtrust
