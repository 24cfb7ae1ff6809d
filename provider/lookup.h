// What a URI names, and the password that may stand before it.
#pragma once

#include <openssl/core_dispatch.h>

#include <vector>

#include "identity/uri.h"
#include "provider/provider.h"

namespace devtrust::provider {

/// A key, or a certificate, of an identity.
struct Object {
  IdentityPtr identity;
  CertificatePtr certificate;  ///< null: it is the key
  bool is_private = true;      ///< whether of the key more than the public part is asked for
  std::string label;
};

/// devtrust: the key, the leaf and the chain of the profile's current identity; of the first profile that has one,
/// where the URI names none. pkcs11: what of the tokens' objects the attributes fit: key and certificates unless a type
/// is given. Never empty: errors as Snapshot::current, or kNotFound.
Result<std::vector<Object>> find_objects(const Snapshot& snapshot, const Uri& uri);

/// A caller's way to ask its user: provider-storemgmt(7). `ask` may be null.
struct PasswordCallback {
  OSSL_PASSPHRASE_CALLBACK* ask = nullptr;
  void* argument = nullptr;
};

/// Opens the store of `identity` where it needs a password: the URI's own, else what the callback gives. That one is
/// called once: a wrong answer is an error, not a reason to ask again.
Result<void> unlock(const Identity& identity, const Uri& uri, PasswordCallback password);

}  // namespace devtrust::provider
