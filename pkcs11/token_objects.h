// The objects that an identity shows, and all their attributes. PKCS#11 3.0, chapter 4 "Objects".
#pragma once

#include <string>
#include <vector>

#include "pkcs11/object.h"

namespace devtrust::pkcs11 {

/// An object without its handle. Two with the same `content` are the same object for an application: it keeps its
/// handle.
struct Description {
  std::string content;
  std::vector<Attribute> attributes;
  IdentityPtr identity;
  std::optional<PublicKey> key;
};

/// The CKO_PROFILE object that says that certificates can be seen without a login.
Description profile_object(const std::string& token);

/// Private key (only where `private_key`), public key, leaf and chain. `token`: the profile's name. `current`: of all
/// the token's identities, the one that carries the profile's label as it is.
std::vector<Description> identity_objects(const IdentityPtr& identity, const Profile& profile, bool current,
                                          bool private_key, bool chain_trusted);

}  // namespace devtrust::pkcs11
