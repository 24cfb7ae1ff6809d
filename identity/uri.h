// The URIs by which a program names an identity: devtrust: and RFC 7512's pkcs11:.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust {

enum class UriScheme : std::uint8_t { kDevtrust, kPkcs11 };

/// RFC 7512's values of `type`.
enum class UriType : std::uint8_t { kCertificate, kData, kPrivateKey, kPublicKey, kSecretKey };

/// What a URI asks for, with its escapes resolved; what it does not mention is unset.
struct Uri {
  UriScheme scheme = UriScheme::kDevtrust;
  std::string profile;  ///< devtrust: only; empty: the only or the first one

  // pkcs11: only
  std::optional<std::string> token, manufacturer, model, serial;
  std::optional<std::string> object;
  std::optional<Bytes> id;
  std::optional<UriType> type;
  std::optional<std::uint64_t> slot_id;
  std::optional<std::string> slot_manufacturer, slot_description;
  std::optional<std::string> library_manufacturer, library_description;
  std::optional<std::string> library_version;  ///< "1" or "1.23"
  std::optional<std::string> module_name, module_path;

  std::optional<SecureBytes> pin_value;
  std::optional<std::string> pin_source;  ///< "file:/path", or a path
};

/// `devtrust:PROFILE?QUERY` or `pkcs11:ATTRIBUTES?QUERY`; the scheme in any case. kInvalidArgument names the place by
/// its number, from 1 on, and never repeats a value: it may be a password.
Result<Uri> parse_uri(std::string_view text);

}  // namespace devtrust
