// What is used of Security.framework, as plain C++. Its body, security.cc, is the one file that knows Apple's headers;
// it calls and converts, and decides nothing.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "backends/keychain/algorithm.h"
#include "identity/bytes.h"

namespace devtrust::security {

/// Who a failure's code belongs to.
enum class Domain : std::uint8_t { kOsStatus, kCryptoTokenKit, kLocalAuthentication, kOther };

struct Failure {
  Domain domain = Domain::kOsStatus;
  long code = 0;
  std::string text;  ///< as macOS says it; may be empty
};
template <typename T>
using Outcome = tl::expected<T, Failure>;

/// A counted reference to a keychain, an identity, a certificate or a key; each copy counts.
class Object {
 public:
  Object() = default;
  /// Takes over what a Create or Copy function gave.
  explicit Object(const void* owned) : reference_(owned) {}
  Object(const Object& other);
  Object(Object&& other) noexcept : reference_(other.reference_) { other.reference_ = nullptr; }
  Object& operator=(Object other) noexcept {
    std::swap(reference_, other.reference_);
    return *this;
  }
  ~Object();
  explicit operator bool() const { return reference_ != nullptr; }
  const void* get() const { return reference_; }

 private:
  const void* reference_ = nullptr;
};

/// Keychains in files. Opening one does not look whether it is there.
Outcome<Object> open_keychain(const std::string& path);
struct KeychainState {
  bool unlocked = false, readable = false;
};
Outcome<KeychainState> state_of(const Object& keychain);
Outcome<std::string> path_of(const Object& keychain);
/// The user's search list; the system's.
Outcome<std::vector<Object>> user_keychains();
Outcome<std::vector<Object>> system_keychains();

/// Whether macOS may ask the user on behalf of this process.
Outcome<bool> interaction_allowed();
void allow_interaction(bool allowed);

enum class ItemClass : std::uint8_t { kIdentity, kCertificate };
/// Of a keychain in a file, and perhaps of others; without one, of the data-protection keychain. `silent`: items of the
/// latter fail rather than ask.
Outcome<std::vector<Object>> items(const Object& keychain, ItemClass item_class, bool silent);
/// A certificate's own keychain.
Outcome<Object> keychain_of(const Object& certificate);
Outcome<Object> certificate_of(const Object& identity);
Outcome<Bytes> der_of(const Object& certificate);
Outcome<Object> private_key_of(const Object& identity);

/// RSA: PKCS#1's RSAPublicKey; EC: the uncompressed point. Empty where the key does not say.
Bytes public_part_of(const Object& private_key);
enum class KeyUse : std::uint8_t { kSign, kDecrypt, kExchange };
bool supports(const Object& private_key, KeyUse use, KeychainAlgorithm algorithm);
Outcome<Bytes> sign(const Object& private_key, KeychainAlgorithm algorithm, ByteView input);
Outcome<SecureBytes> decrypt(const Object& private_key, KeychainAlgorithm algorithm, ByteView ciphertext);
/// ECDH with a peer's uncompressed point.
Outcome<SecureBytes> exchange(const Object& private_key, ByteView peer);

}  // namespace devtrust::security
