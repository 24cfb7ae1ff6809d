#include "provider/key.h"

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/x509.h>

#include <cstring>

#include "identity/trace.h"

namespace devtrust::provider {
namespace {

constexpr const char* kRsassaPss = "1.2.840.113549.1.1.10";

struct Kind {
  const char *name, *type, *names;
};

constexpr std::array<Kind, 5> kKinds{{
    {"RSA", kRsaKeyType, "RSA:rsaEncryption:1.2.840.113549.1.1.1"},
    {"RSA-PSS", kRsassaPss, "RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10"},
    {"EC", kEcKeyType, "EC:id-ecPublicKey:1.2.840.10045.2.1"},
    {"ED25519", "ED25519", "ED25519:1.3.101.112"},
    {"ED448", "ED448", "ED448:1.3.101.113"},
}};

const Kind& entry_of(KeyKind kind) { return kKinds.at(static_cast<std::size_t>(kind)); }

}  // namespace

const char* kind_name(KeyKind kind) { return entry_of(kind).name; }
const char* kind_type(KeyKind kind) { return entry_of(kind).type; }
const char* kind_names(KeyKind kind) { return entry_of(kind).names; }

KeyKind kind_of(const Identity& identity) {
  switch (identity.key->public_key().type()) {
    case KeyType::kRsa:
      return identity.leaf->for_pss_only() ? KeyKind::kRsaPss : KeyKind::kRsa;
    case KeyType::kEc:
      return KeyKind::kEc;
    case KeyType::kEd25519:
      return KeyKind::kEd25519;
    case KeyType::kEd448:
      break;
  }
  return KeyKind::kEd448;
}

Result<KeyPtr> make_public_key(Provider& provider, const Identity& identity) {
  KeyPtr key(new Key(provider, kind_of(identity)));
  EvpPkeyPtr evp;
  if (key->kind() == KeyKind::kRsaPss) {
    // With the restrictions that its certificate names.
    const LibcryptoUse use;
    const ByteView spki = identity.leaf->spki();
    const unsigned char* at = spki.data();
    evp.reset(d2i_PUBKEY_ex(nullptr, &at, static_cast<long>(spki.size()), libctx(), nullptr));
  } else if (EVP_PKEY* shared = identity.key->public_key().evp(); shared != nullptr) {
    // An EC key's public part may be set to be written in another form: not the one that all share.
    if (key->kind() == KeyKind::kEc) {
      evp.reset(EVP_PKEY_dup(shared));
    } else if (EVP_PKEY_up_ref(shared) == 1) {
      evp.reset(shared);
    }
  }
  if (evp == nullptr) {
    return fail(ErrorCode::kCorrupt, identity.location + ": libcrypto refuses the certificate's public key");
  }
  key->set_evp(std::move(evp));
  return key;
}

Result<KeyPtr> make_key(Provider& provider, IdentityPtr identity) {
  auto key = make_public_key(provider, *identity);
  if (!key) return key;
  (*key)->audit_ = provider.audit();
  (*key)->identity_ = std::move(identity);
  return key;
}

KeyPtr duplicate(const Key& key) {
  KeyPtr copy(new Key(key.provider(), key.kind()));
  if (key.evp() != nullptr) {
    copy->evp_.reset(EVP_PKEY_dup(key.evp()));
    if (copy->evp_ == nullptr) return nullptr;
  }
  copy->identity_ = key.identity_;
  copy->audit_ = key.audit_;
  return copy;
}

int give_key(Key& key, OSSL_CALLBACK* callback, void* argument) {
  int type = OSSL_OBJECT_PKEY;
  auto address = reinterpret_cast<std::uintptr_t>(&key);
  const std::array<OSSL_PARAM, 4> params{
      OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
      OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, const_cast<char*>(kind_name(key.kind())), 0),
      OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &address, sizeof address),
      OSSL_PARAM_construct_end()};
  return callback(params.data(), argument);
}

Key* referred_key(const void* reference, std::size_t size) {
  std::uintptr_t address = 0;
  if (reference == nullptr || size != sizeof address) return nullptr;
  std::memcpy(&address, reference, sizeof address);
  return reinterpret_cast<Key*>(address);  // NOLINT(performance-no-int-to-ptr): libcrypto carries it as bytes
}

Result<const PrivateKey*> Key::use(std::string_view operation, std::string_view mechanism) const {
  if (identity_ == nullptr) return fail(ErrorCode::kInvalidArgument, "this needs a private key, and the key is public");
  if (trace_enabled()) {
    trace("provider: " + std::string(operation) + ' ' + std::string(mechanism) + " with the key of profile " +
          identity_->profile + " in " + identity_->location);
  }
  if (auto written = audit_->record(operation, *identity_, mechanism); !written) return fail(written);
  return identity_->key.get();
}

}  // namespace devtrust::provider
