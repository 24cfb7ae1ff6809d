#include "identity/token.h"

#include "identity/der.h"

namespace devtrust {
namespace {

/// `label` with the certificate's serial number behind it.
std::string numbered_label(const std::string& label, const Certificate& certificate) {
  const auto serial = der_single(certificate.serial(), der::kInteger);
  return label + ' ' + (serial ? to_hex(serial->content) : to_hex(certificate.serial()));
}

}  // namespace

std::string token_serial(std::string_view profile) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const char character : profile) hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
  Bytes bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(hash >> shift));
  return to_hex(bytes);
}

std::string identity_label(const Profile& profile, const Identity& identity, bool current) {
  return current ? profile.label : numbered_label(profile.label, *identity.leaf);
}

std::string issuer_label(const Profile& profile, const Certificate& issuer) {
  std::string name = issuer.common_name();
  if (name.empty()) name = issuer.subject_text();
  return name == profile.label ? numbered_label(name, issuer) : name;
}

ByteView issuer_id(const Certificate& issuer) {
  const auto& key_id = issuer.subject_key_id();
  return key_id ? ByteView(*key_id) : ByteView(issuer.public_key().id());
}

}  // namespace devtrust
