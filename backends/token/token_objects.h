// What lies on a token.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/token/token.h"
#include "identity/private_key.h"
#include "identity/public_key.h"

namespace devtrust {

struct TokenCertificate {
  Bytes der, id;
};

struct TokenPrivateKey {
  Bytes id;
  KeyTraits traits;
  bool always_authenticate = false;
  std::optional<KeyType> type;          ///< nothing: one that cannot be used here
  std::optional<PublicKey> public_key;  ///< where the token says it
};

struct TokenPublicKey {
  Bytes id;
  std::optional<PublicKey> key;
};

struct TokenListing {
  std::vector<TokenCertificate> certificates;
  std::vector<TokenPrivateKey> private_keys;  ///< those that can be seen now
  std::vector<TokenPublicKey> public_keys;
  std::uint64_t digest = 0;  ///< differs when the above does
};

TokenAnswer<TokenListing> list_token(TokenSession& session);

/// The private key object with this CKA_ID (empty: any) that is `key`'s, or, where the token does not say whose they
/// are, the first one. CK_INVALID_HANDLE where there is none; kKeyMismatch where there are others only.
struct FoundKey {
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  bool proven = false;  ///< the token says that it is `key`'s
};
TokenAnswer<FoundKey> find_private_key(TokenSession& session, ByteView id, const PublicKey& key);

}  // namespace devtrust
