// A key of ours as libcrypto holds it: the device's, or a public one that was given to us to compare or to verify with.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "identity/openssl.h"
#include "identity/snapshot.h"
#include "provider/provider.h"

namespace devtrust::provider {

/// A key management of OpenSSL's. Not KeyType: a key that may only be used for RSA-PSS is another kind there.
enum class KeyKind : std::uint8_t { kRsa, kRsaPss, kEc, kEd25519, kEd448 };

inline constexpr std::array<KeyKind, 5> kKeyKinds{KeyKind::kRsa, KeyKind::kRsaPss, KeyKind::kEc, KeyKind::kEd25519,
                                                  KeyKind::kEd448};

/// "RSA", "RSA-PSS", "EC", "ED25519", "ED448".
const char* kind_name(KeyKind kind);
/// For EVP_PKEY_CTX_new_from_name: see kRsaKeyType.
const char* kind_type(KeyKind kind);
KeyKind kind_of(const Identity& identity);

/// Counted, as OpenSSL's own keys are. Thread-safe once it is made or imported, but for what is set on `evp()`.
class Key {
 public:
  /// Without content, to be imported into.
  Key(Provider& provider, KeyKind kind) : provider_(provider), kind_(kind) {}

  Provider& provider() const { return provider_; }
  KeyKind kind() const { return kind_; }
  /// The public part, in our own library context; null before something was imported.
  EVP_PKEY* evp() const { return evp_.get(); }
  void set_evp(EvpPkeyPtr evp) { evp_ = std::move(evp); }
  /// Null where it is a public key only.
  const PrivateKey* private_key() const { return identity_ ? identity_->key.get() : nullptr; }
  const Identity* identity() const { return identity_.get(); }

  /// The private key, with its use written down: kAuditFailed where that is demanded and fails. kInvalidArgument where
  /// there is none. `operation` and `mechanism` as Audit::record has them.
  Result<const PrivateKey*> use(std::string_view operation, std::string_view mechanism) const;

  void hold() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  friend Result<std::unique_ptr<Key, struct KeyRelease>> make_key(Provider& provider, IdentityPtr identity);
  friend std::unique_ptr<Key, struct KeyRelease> duplicate(const Key& key);
  ~Key() = default;

  Provider& provider_;
  const KeyKind kind_;
  EvpPkeyPtr evp_;
  IdentityPtr identity_;
  std::shared_ptr<const Audit> audit_;  // as it was when the key was loaded: a server's child may not read it any more
  std::atomic<int> references_{1};
};

struct KeyRelease {
  void operator()(Key* key) const { key->release(); }
};
using KeyPtr = std::unique_ptr<Key, KeyRelease>;

inline KeyPtr hold(Key* key) {
  if (key != nullptr) key->hold();
  return KeyPtr(key);
}

/// The key of `identity`, without using it; or the public part of it alone.
Result<KeyPtr> make_key(Provider& provider, IdentityPtr identity);
Result<KeyPtr> make_public_key(Provider& provider, const Identity& identity);

/// Another one with a public part of its own, which can then be set without the first; null when memory is short.
KeyPtr duplicate(const Key& key);

/// Hands `key` to libcrypto, which takes a hold of its own by the key management's load: provider-object(7). What the
/// callback answers.
int give_key(Key& key, OSSL_CALLBACK* callback, void* argument);
/// The key of a reference that give_key made; null for anything else.
Key* referred_key(const void* reference, std::size_t size);

/// The names under which OpenSSL's default provider has a kind's key management.
const char* kind_names(KeyKind kind);

}  // namespace devtrust::provider
