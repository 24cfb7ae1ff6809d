// Under what names a profile's identities are shown: the same as a PKCS#11 token and in a pkcs11: URI.
#pragma once

#include <string>
#include <string_view>

#include "identity/profile.h"
#include "identity/snapshot.h"

namespace devtrust {

inline constexpr std::string_view kTokenManufacturer = "devtrust";
inline constexpr std::string_view kTokenModel = "device-trust";

/// The same for ever, and different for each profile.
std::string token_serial(std::string_view profile);

/// Of an identity's keys and leaf: the profile's label for the current one, with the serial number for others.
std::string identity_label(const Profile& profile, const Identity& identity, bool current);
/// Of a certificate of the chain: its common name, never that of the identity.
std::string issuer_label(const Profile& profile, const Certificate& issuer);
/// Of a certificate of the chain: GnuTLS looks an issuer up with the authority key identifier as CKA_ID.
ByteView issuer_id(const Certificate& issuer);

}  // namespace devtrust
