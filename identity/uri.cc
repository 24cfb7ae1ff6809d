#include "identity/uri.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <span>
#include <utility>

namespace devtrust {
namespace {

constexpr std::size_t kMaxUri = 16'384;

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

tl::unexpected<Error> wrong(const std::string& what) { return fail(ErrorCode::kInvalidArgument, what); }

/// Values go straight to where they stay: a password leaves no copy behind.
template <typename Container>
Result<void> decode(std::string_view encoded, std::size_t place, Container& out) {
  out.clear();
  out.reserve(encoded.size());
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    const auto octet = static_cast<unsigned char>(encoded[i]);
    const auto here = [&] { return " at character " + std::to_string(place + i); };
    if (octet <= 0x20 || octet == 0x7F) {
      return wrong("the URI has a space or a control character" + here() + ": a space is written %20");
    }
    if (octet != '%') {
      out.push_back(static_cast<typename Container::value_type>(octet));
      continue;
    }
    const int high = i + 1 < encoded.size() ? hex_digit(encoded[i + 1]) : -1;
    const int low = i + 2 < encoded.size() ? hex_digit(encoded[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return wrong("the URI has a % without two hexadecimal digits" + here() + ": % itself is written %25");
    }
    out.push_back(static_cast<typename Container::value_type>(high * 16 + low));
    i += 2;
  }
  return {};
}

template <typename Container>
Result<void> decode_once(std::string_view value, std::size_t place, std::optional<Container>& out) {
  return decode(value, place, out.emplace());
}

Result<std::string> decoded(std::string_view value, std::size_t place) {
  std::string text;
  if (auto done = decode(value, place, text); !done) return fail(done);
  return text;
}

Result<void> read_type(std::string_view value, std::size_t place, Uri& uri) {
  static constexpr std::pair<std::string_view, UriType> kTypes[] = {{"cert", UriType::kCertificate},
                                                                    {"data", UriType::kData},
                                                                    {"private", UriType::kPrivateKey},
                                                                    {"public", UriType::kPublicKey},
                                                                    {"secret-key", UriType::kSecretKey}};
  const auto text = decoded(value, place);
  if (!text) return fail(text);
  const auto* known = std::ranges::find(kTypes, *text, [](const auto& row) { return row.first; });
  if (known == std::end(kTypes)) {
    return wrong("the URI's type at character " + std::to_string(place) +
                 " is not one of cert, private, public, data and secret-key");
  }
  uri.type = known->second;
  return {};
}

Result<void> read_slot_id(std::string_view value, std::size_t place, Uri& uri) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    return wrong("the URI's slot-id at character " + std::to_string(place) + " is not a decimal number");
  }
  uri.slot_id = number;
  return {};
}

/// RFC 7512, section 2.3: digits, which are not escaped.
Result<void> read_library_version(std::string_view value, std::size_t place, Uri& uri) {
  const auto is_octet = [](std::string_view number) {
    std::uint8_t octet = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), octet);
    return error == std::errc() && end == number.data() + number.size();
  };
  const std::size_t dot = value.find('.');
  if (!is_octet(value.substr(0, dot)) || (dot != std::string_view::npos && !is_octet(value.substr(dot + 1)))) {
    return wrong("the URI's library-version at character " + std::to_string(place) + " is not of the form 1 or 1.23");
  }
  uri.library_version = value;
  return {};
}

struct Attribute {
  std::string_view name;
  Result<void> (*read)(std::string_view value, std::size_t place, Uri& uri);
};

template <auto Field>
constexpr Attribute attribute(std::string_view name) {
  return {name,
          [](std::string_view value, std::size_t place, Uri& uri) { return decode_once(value, place, uri.*Field); }};
}

constexpr std::array<Attribute, 13> kPathAttributes{
    {attribute<&Uri::token>("token"), attribute<&Uri::manufacturer>("manufacturer"), attribute<&Uri::model>("model"),
     attribute<&Uri::serial>("serial"), attribute<&Uri::object>("object"), attribute<&Uri::id>("id"),
     Attribute{"type", read_type}, Attribute{"slot-id", read_slot_id},
     attribute<&Uri::slot_manufacturer>("slot-manufacturer"), attribute<&Uri::slot_description>("slot-description"),
     attribute<&Uri::library_manufacturer>("library-manufacturer"),
     attribute<&Uri::library_description>("library-description"), Attribute{"library-version", read_library_version}}};

constexpr std::array<Attribute, 2> kPinAttributes{
    {attribute<&Uri::pin_source>("pin-source"), attribute<&Uri::pin_value>("pin-value")}};

constexpr std::array<Attribute, 4> kQueryAttributes{{kPinAttributes[0], kPinAttributes[1],
                                                     attribute<&Uri::module_name>("module-name"),
                                                     attribute<&Uri::module_path>("module-path")}};

std::string names_of(std::span<const Attribute> known) {
  std::string names;
  for (const Attribute& attribute : known) {
    if (!names.empty()) names += &attribute == &known.back() ? " and " : ", ";
    names += attribute.name;
  }
  return names;
}

/// `place` is the number of the first character of `text`.
Result<void> read_attributes(std::string_view text, std::size_t place, char separator, std::span<const Attribute> known,
                             Uri& uri) {
  std::uint32_t seen = 0;
  while (true) {
    const std::size_t length = std::min(text.find(separator), text.size());
    const std::string_view one = text.substr(0, length);
    const std::size_t equals = one.find('=');
    const auto here = [&] { return " at character " + std::to_string(place); };
    if (equals == std::string_view::npos) return wrong("the URI has no NAME=VALUE" + here());
    const auto found = std::ranges::find(known, one.substr(0, equals), &Attribute::name);
    // The name is not repeated either: where quoting went wrong, it may be part of a password.
    if (found == known.end())
      return wrong("the URI has an unknown attribute" + here() + ": known are " + names_of(known));
    const std::uint32_t bit = std::uint32_t{1} << static_cast<unsigned>(found - known.begin());
    if ((seen & bit) != 0) return wrong("the URI has " + std::string(found->name) + " a second time" + here());
    seen |= bit;
    if (auto read = found->read(one.substr(equals + 1), place + equals + 1, uri); !read) return read;
    if (length == text.size()) return {};
    text.remove_prefix(length + 1);
    place += length + 1;
  }
}

Result<void> read_profile(std::string_view text, std::size_t place, Uri& uri) {
  if (auto done = decode(text, place, uri.profile); !done) return done;
  const auto strange = std::ranges::find_if(
      uri.profile, [](char c) { return !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-'; });
  if (strange == uri.profile.end()) return {};
  return wrong("the URI does not name a profile at character " + std::to_string(place) +
               ": a profile's name has the letters a-z, digits and - only, as in devtrust:jumpcloud");
}

}  // namespace

Result<Uri> parse_uri(std::string_view text) {
  if (text.size() > kMaxUri) return wrong("the URI is longer than 16 KiB");
  Uri uri;
  const std::size_t colon = text.find(':');
  const std::string_view scheme = text.substr(0, colon);
  if (colon != std::string_view::npos && equal_ignoring_case(scheme, "pkcs11")) {
    uri.scheme = UriScheme::kPkcs11;
  } else if (colon == std::string_view::npos || !equal_ignoring_case(scheme, "devtrust")) {
    return wrong("the URI begins neither with devtrust: nor with pkcs11:");
  }
  const bool pkcs11 = uri.scheme == UriScheme::kPkcs11;
  std::size_t place = colon + 2;
  const std::string_view rest = text.substr(colon + 1);
  const std::size_t question = std::min(rest.find('?'), rest.size());
  const std::string_view path = rest.substr(0, question);
  if (!pkcs11) {
    if (auto read = read_profile(path, place, uri); !read) return fail(read);
  } else if (!path.empty()) {
    if (auto read = read_attributes(path, place, ';', kPathAttributes, uri); !read) return fail(read);
  }
  if (question + 1 < rest.size()) {
    place += question + 1;
    const std::span<const Attribute> known =
        pkcs11 ? std::span<const Attribute>(kQueryAttributes) : std::span<const Attribute>(kPinAttributes);
    if (auto read = read_attributes(rest.substr(question + 1), place, '&', known, uri); !read) return fail(read);
  }
  if (uri.pin_value && uri.pin_source) {
    return wrong("the URI has both pin-value and pin-source: one of them is enough (RFC 7512, 2.4)");
  }
  return uri;
}

}  // namespace devtrust
