// ECDH: provider-keyexch(7), with the X9.63 key derivation that CMS asks for.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "provider/digest.h"
#include "provider/key.h"
#include "provider/tables.h"

namespace devtrust::provider {
namespace {

using KdfPtr = std::unique_ptr<EVP_KDF, OpensslDeleter<EVP_KDF_free>>;
using KdfCtxPtr = std::unique_ptr<EVP_KDF_CTX, OpensslDeleter<EVP_KDF_CTX_free>>;

tl::unexpected<Error> wrong(const char* message) { return fail(ErrorCode::kInvalidArgument, message); }

/// The public point, uncompressed; empty where there is none.
Bytes point_of(EVP_PKEY* key) {
  std::size_t length = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0, &length) != 1) return {};
  Bytes point(length);
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(), &length) != 1)
    return {};
  point.resize(length);
  return point;
}

class KeyExchange {
 public:
  explicit KeyExchange(Provider& provider) : provider_(provider) {}

  Provider& provider() const { return provider_; }

  Result<void> begin(Key* key, const OSSL_PARAM* params) {
    key_ = hold(key);
    if (key_ == nullptr || key_->private_key() == nullptr) return wrong("a shared secret needs a private key");
    peer_.reset();
    kdf_ = false;
    return set(params);
  }
  Result<void> set_peer(Key* peer) {
    if (peer == nullptr || peer->evp() == nullptr || key_ == nullptr ||
        EVP_PKEY_parameters_eq(key_->evp(), peer->evp()) != 1) {
      return wrong("the peer's key is not on the curve of the device's");
    }
    peer_ = hold(peer);
    return {};
  }

  Result<void> set(const OSSL_PARAM* params) {
    if (params == nullptr) return {};
    const OSSL_PARAM* mode = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE);
    int cofactor = 0;  // these curves' cofactor is 1: all modes are one
    if (mode != nullptr && (OSSL_PARAM_get_int(mode, &cofactor) != 1 || cofactor < -1 || cofactor > 1)) {
      return wrong("the cofactor mode is -1, 0 or 1");
    }
    if (const OSSL_PARAM* type = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_TYPE); type != nullptr) {
      const char* name = nullptr;
      if (OSSL_PARAM_get_utf8_string_ptr(type, &name) != 1 || name == nullptr ||
          (*name != '\0' && std::strcmp(name, OSSL_KDF_NAME_X963KDF) != 0)) {
        return wrong("of key derivations, X963KDF is known here");
      }
      kdf_ = *name != '\0';
    }
    if (const OSSL_PARAM* digest = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_DIGEST); digest != nullptr) {
      const char* name = nullptr;
      md_ = OSSL_PARAM_get_utf8_string_ptr(digest, &name) == 1 && name != nullptr ? find_md(name) : nullptr;
      if (md_ == nullptr) return wrong("the key derivation's digest is not known here");
    }
    const OSSL_PARAM* length = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_OUTLEN);
    if (length != nullptr && OSSL_PARAM_get_size_t(length, &kdf_length_) != 1) return wrong("the length is no number");
    if (const OSSL_PARAM* ukm = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_UKM); ukm != nullptr) {
      const void* octets = nullptr;
      std::size_t size = 0;
      if (OSSL_PARAM_get_octet_string_ptr(ukm, &octets, &size) != 1) return wrong("the shared information is no bytes");
      const auto* first = static_cast<const std::uint8_t*>(octets);
      ukm_ = octets != nullptr ? Bytes(first, first + size) : Bytes();
    }
    return {};
  }
  bool get(OSSL_PARAM* params) {
    const auto set = [params](const char* name, const auto& setter) {
      OSSL_PARAM* found = OSSL_PARAM_locate(params, name);
      return found == nullptr || setter(found) == 1;
    };
    return set(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, [](OSSL_PARAM* p) { return OSSL_PARAM_set_int(p, 0); }) &&
           set(OSSL_EXCHANGE_PARAM_KDF_TYPE,
               [this](OSSL_PARAM* p) { return OSSL_PARAM_set_utf8_string(p, kdf_ ? OSSL_KDF_NAME_X963KDF : ""); }) &&
           set(OSSL_EXCHANGE_PARAM_KDF_DIGEST,
               [this](OSSL_PARAM* p) {
                 return OSSL_PARAM_set_utf8_string(p, md_ != nullptr ? EVP_MD_get0_name(md_.get()) : "");
               }) &&
           set(OSSL_EXCHANGE_PARAM_KDF_OUTLEN,
               [this](OSSL_PARAM* p) { return OSSL_PARAM_set_size_t(p, kdf_length_); }) &&
           set(OSSL_EXCHANGE_PARAM_KDF_UKM,
               [this](OSSL_PARAM* p) { return OSSL_PARAM_set_octet_ptr(p, ukm_.data(), ukm_.size()); });
  }

  /// Bytes of the secret.
  std::size_t size() const {
    return kdf_ ? kdf_length_ : key_ != nullptr ? key_->private_key()->public_key().field_size() : 0;
  }
  Result<std::size_t> derive(std::span<std::uint8_t> out) const {
    if (key_ == nullptr || peer_ == nullptr) return wrong("a shared secret needs the peer's public key");
    if (out.size() < size()) return wrong("there is no room for the shared secret");
    if (kdf_ && (md_ == nullptr || kdf_length_ == 0)) return wrong("the key derivation lacks its digest or its length");
    const auto key = key_->use("derive", "ECDH");
    if (!key) return fail(key);
    const auto secret = (*key)->derive(point_of(peer_->evp()));
    if (!secret) return fail(secret);
    if (kdf_) return derive_by_x963(*secret, out.first(kdf_length_));
    std::ranges::copy(*secret, out.begin());
    return secret->size();
  }

  std::unique_ptr<KeyExchange> duplicate() const {
    auto copy = std::make_unique<KeyExchange>(provider_);
    copy->key_ = hold(key_.get());
    copy->peer_ = hold(peer_.get());
    copy->kdf_ = kdf_;
    copy->md_ = md_;
    copy->kdf_length_ = kdf_length_;
    copy->ukm_ = ukm_;
    return copy;
  }

 private:
  Result<std::size_t> derive_by_x963(const SecureBytes& secret, std::span<std::uint8_t> out) const {
    const KdfPtr kdf(EVP_KDF_fetch(libctx(), OSSL_KDF_NAME_X963KDF, nullptr));
    const KdfCtxPtr context(kdf != nullptr ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
    const std::array<OSSL_PARAM, 4> params{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(EVP_MD_get0_name(md_.get())), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::uint8_t*>(secret.data()), secret.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<std::uint8_t*>(ukm_.data()), ukm_.size()),
        OSSL_PARAM_construct_end()};
    if (context == nullptr || EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) != 1) {
      return fail(ErrorCode::kInternal, "libcrypto did not derive a key: " + openssl_reason());
    }
    return out.size();
  }

  Provider& provider_;
  KeyPtr key_, peer_;
  bool kdf_ = false;
  MdPtr md_;
  std::size_t kdf_length_ = 0;
  Bytes ukm_;
};

KeyExchange& of(void* exchange) { return *static_cast<KeyExchange*>(exchange); }

void* new_exchange(void* context) {
  auto& provider = *static_cast<Provider*>(context);
  return guarded<void*>(provider, nullptr, [&] { return new KeyExchange(provider); });
}
void free_exchange(void* exchange) { delete static_cast<KeyExchange*>(exchange); }
void* duplicate_exchange(void* exchange) {
  return guarded<void*>(of(exchange).provider(), nullptr, [&] { return of(exchange).duplicate().release(); });
}
int init(void* exchange, void* key, const OSSL_PARAM* params) {
  KeyExchange& ours = of(exchange);
  return guarded(ours.provider(), 0,
                 [&] { return succeeded(ours.provider(), ours.begin(static_cast<Key*>(key), params)); });
}
int set_peer(void* exchange, void* peer) {
  KeyExchange& ours = of(exchange);
  return guarded(ours.provider(), 0,
                 [&] { return succeeded(ours.provider(), ours.set_peer(static_cast<Key*>(peer))); });
}
int derive(void* exchange, unsigned char* out, std::size_t* length, std::size_t room) {
  KeyExchange& ours = of(exchange);
  return guarded(ours.provider(), 0, [&] {
    if (out == nullptr) {
      *length = ours.size();
      return 1;
    }
    const auto written = ours.derive(std::span<std::uint8_t>(out, room));
    if (written) *length = *written;
    return succeeded(ours.provider(), written);
  });
}
int set_params(void* exchange, const OSSL_PARAM* params) {
  KeyExchange& ours = of(exchange);
  return guarded(ours.provider(), 0, [&] { return succeeded(ours.provider(), ours.set(params)); });
}
int get_params(void* exchange, OSSL_PARAM* params) {
  KeyExchange& ours = of(exchange);
  return guarded(ours.provider(), 0, [&] { return ours.get(params) ? 1 : 0; });
}
const OSSL_PARAM* settable_params(void* /*exchange*/, void* /*context*/) {
  static const std::array<OSSL_PARAM, 6> kParams{{OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, nullptr),
                                                  OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, nullptr, 0),
                                                  OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, nullptr, 0),
                                                  OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, nullptr),
                                                  OSSL_PARAM_octet_string(OSSL_EXCHANGE_PARAM_KDF_UKM, nullptr, 0),
                                                  OSSL_PARAM_END}};
  return kParams.data();
}
const OSSL_PARAM* gettable_params(void* /*exchange*/, void* /*context*/) {
  static const std::array<OSSL_PARAM, 6> kParams{
      {OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, nullptr),
       OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, nullptr, 0),
       OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, nullptr, 0),
       OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, nullptr),
       OSSL_PARAM_DEFN(OSSL_EXCHANGE_PARAM_KDF_UKM, OSSL_PARAM_OCTET_PTR, nullptr, 0), OSSL_PARAM_END}};
  return kParams.data();
}

}  // namespace

const OSSL_ALGORITHM* key_exchange_algorithms() {
  static const std::array<OSSL_DISPATCH, 11> kFunctions{entry(OSSL_FUNC_KEYEXCH_NEWCTX, new_exchange),
                                                        entry(OSSL_FUNC_KEYEXCH_FREECTX, free_exchange),
                                                        entry(OSSL_FUNC_KEYEXCH_DUPCTX, duplicate_exchange),
                                                        entry(OSSL_FUNC_KEYEXCH_INIT, init),
                                                        entry(OSSL_FUNC_KEYEXCH_SET_PEER, set_peer),
                                                        entry(OSSL_FUNC_KEYEXCH_DERIVE, derive),
                                                        entry(OSSL_FUNC_KEYEXCH_SET_CTX_PARAMS, set_params),
                                                        entry(OSSL_FUNC_KEYEXCH_SETTABLE_CTX_PARAMS, settable_params),
                                                        entry(OSSL_FUNC_KEYEXCH_GET_CTX_PARAMS, get_params),
                                                        entry(OSSL_FUNC_KEYEXCH_GETTABLE_CTX_PARAMS, gettable_params)};
  static const std::array<OSSL_ALGORITHM, 2> kAlgorithms{
      {{"ECDH", "provider=devtrust", kFunctions.data(), "ECDH with the key of a device-trust certificate"},
       {nullptr, nullptr, nullptr, nullptr}}};
  return kAlgorithms.data();
}

}  // namespace devtrust::provider
