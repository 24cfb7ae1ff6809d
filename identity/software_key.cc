#include "identity/software_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>

#include <mutex>
#include <utility>
#include <vector>

#include "identity/curve.h"
#include "identity/evp_scheme.h"

namespace devtrust {
namespace {

// OSSL_PARAM_BLD would copy the numbers into memory that is freed without being wiped. Here they share a page: to
// lock each one takes some microseconds of a first signature, and a process may lock only so many.
class SecretParams {
 public:
  /// `number` is read by build().
  void push(const char* name, const BIGNUM* number) {
    numbers_.emplace_back(params_.size(), number);
    params_.push_back(OSSL_PARAM_construct_BN(name, nullptr, static_cast<std::size_t>(BN_num_bytes(number))));
  }
  void push(const char* name, const char* text) {
    params_.push_back(OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(text), 0));
  }
  void push(const char* name, ByteView octets) {
    params_.push_back(OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(octets.data()), octets.size()));
  }
  /// Null where libcrypto refuses them.
  EvpPkeyPtr build(const char* algorithm) {
    std::size_t size = 0;
    for (const auto& [index, number] : numbers_) size += params_[index].data_size;
    SecureBytes octets(size);
    std::uint8_t* next = octets.data();
    for (const auto& [index, number] : numbers_) {
      OSSL_PARAM& param = params_[index];
      if (BN_bn2nativepad(number, next, static_cast<int>(param.data_size)) < 0) return nullptr;
      param.data = next;
      next += param.data_size;
    }
    params_.push_back(OSSL_PARAM_construct_end());
    const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(libctx(), algorithm, nullptr));
    EVP_PKEY* key = nullptr;
    if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, params_.data()) <= 0) {
      return nullptr;
    }
    return EvpPkeyPtr(key);
  }

 private:
  std::vector<std::pair<std::size_t, const BIGNUM*>> numbers_;  // with their places in params_
  std::vector<OSSL_PARAM> params_;
};

tl::unexpected<Error> mismatch() {
  return fail(ErrorCode::kKeyMismatch, "the private key does not belong to the certificate");
}

BignumPtr secret_number(ByteView bytes) {
  BignumPtr number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  if (number != nullptr) BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  return number;
}

/// Big-endian; empty where the key has no such number.
SecureBytes octets_of(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  const BignumPtr owner(number);
  SecureBytes octets(owner != nullptr ? static_cast<std::size_t>(BN_num_bytes(number)) : 0);
  if (owner != nullptr) BN_bn2bin(number, octets.data());
  return octets;
}

BignumPtr new_secret() {
  BignumPtr number(BN_new());
  if (number != nullptr) BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  return number;
}

}  // namespace

// Making a context costs up to a quarter of a P-256 signature: the used ones are kept, for as many threads as sign at
// once.
class SoftwareKey::Pool {
 public:
  EvpPkeyCtxPtr take(const SignScheme& scheme) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = idle_.size(); i-- > 0;) {
      if (idle_[i].first == scheme) {
        EvpPkeyCtxPtr context = std::move(idle_[i].second);
        if (i + 1 != idle_.size()) idle_[i] = std::move(idle_.back());
        idle_.pop_back();
        return context;
      }
    }
    return nullptr;
  }
  void give_back(const SignScheme& scheme, EvpPkeyCtxPtr context) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMost) idle_.emplace_back(scheme, std::move(context));
  }

 private:
  static constexpr std::size_t kMost = 64;
  std::mutex mutex_;
  std::vector<std::pair<SignScheme, EvpPkeyCtxPtr>> idle_;
};

SoftwareKey::SoftwareKey(EvpPkeyPtr key, PublicKey public_key, KeyTraits traits)
    : PrivateKey(std::move(public_key), std::move(traits)), key_(std::move(key)), pool_(std::make_unique<Pool>()) {}
SoftwareKey::~SoftwareKey() = default;

Result<std::shared_ptr<const SoftwareKey>> SoftwareKey::from_evp(EvpPkeyPtr key, const PublicKey& public_key,
                                                                 KeyTraits traits) {
  const auto own = PublicKey::from_evp(key.get());
  if (!own) return fail(own);
  if (!(*own == public_key)) return mismatch();
  // An Edwards key's public part comes from its seed. Of the others' nothing but one secret is believed: a damaged file
  // would sign what does not verify.
  if (public_key.type() != KeyType::kRsa && public_key.type() != KeyType::kEc) {
    return std::shared_ptr<const SoftwareKey>(new SoftwareKey(std::move(key), public_key, std::move(traits)));
  }
  const LibcryptoUse use;
  const bool rsa = public_key.type() == KeyType::kRsa;
  const SecureBytes secret = octets_of(key.get(), rsa ? OSSL_PKEY_PARAM_RSA_FACTOR1 : OSSL_PKEY_PARAM_PRIV_KEY);
  if (secret.empty()) {
    return fail(ErrorCode::kUnsupported, rsa ? "the RSA private key lacks its primes" : "the key is not a private one");
  }
  return rsa ? from_rsa_prime(public_key, secret, octets_of(key.get(), OSSL_PKEY_PARAM_RSA_COEFFICIENT1),
                              std::move(traits))
             : from_scalar(public_key, secret, std::move(traits));
}

Result<std::shared_ptr<const SoftwareKey>> SoftwareKey::from_rsa_prime(const PublicKey& public_key,
                                                                       const SecureBytes& prime,
                                                                       const SecureBytes& coefficient,
                                                                       KeyTraits traits) {
  const LibcryptoUse use;
  if (public_key.type() != KeyType::kRsa || prime.size() > public_key.field_size()) return mismatch();
  const auto broken = [] { return fail(ErrorCode::kInternal, "the RSA key cannot be completed: " + openssl_reason()); };
  const ByteView modulus = public_key.modulus();
  const ByteView exponent = public_key.exponent();
  const BnCtxPtr context(BN_CTX_new_ex(libctx()));
  const BignumPtr n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const BignumPtr e(BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
  BignumPtr p = secret_number(prime);
  BignumPtr q = new_secret();
  const BignumPtr rest = new_secret();
  if (libctx() == nullptr || !context || !n || !e || !p || !q || !rest) return broken();
  if (BN_num_bits(p.get()) < 2 || BN_div(q.get(), rest.get(), n.get(), p.get(), context.get()) != 1 ||
      !BN_is_zero(rest.get()) || BN_num_bits(q.get()) < 2) {
    return mismatch();
  }
  if (BN_cmp(p.get(), q.get()) < 0) std::swap(p, q);  // libcrypto's CRT wants p > q

  const BignumPtr p1 = new_secret();
  const BignumPtr q1 = new_secret();
  const BignumPtr phi = new_secret();
  const BignumPtr d = new_secret();
  const BignumPtr dp = new_secret();
  const BignumPtr dq = new_secret();
  const BignumPtr qinv = coefficient.size() <= public_key.field_size() ? secret_number(coefficient) : new_secret();
  const BignumPtr product = new_secret();
  if (!p1 || !q1 || !phi || !d || !dp || !dq || !qinv || !product || BN_sub(p1.get(), p.get(), BN_value_one()) != 1 ||
      BN_sub(q1.get(), q.get(), BN_value_one()) != 1 || BN_mul(phi.get(), p1.get(), q1.get(), context.get()) != 1) {
    return broken();
  }
  if (BN_mod_inverse(d.get(), e.get(), phi.get(), context.get()) == nullptr ||
      BN_div(nullptr, dp.get(), d.get(), p1.get(), context.get()) != 1 ||
      BN_div(nullptr, dq.get(), d.get(), q1.get(), context.get()) != 1) {
    return mismatch();
  }
  if (BN_mod_mul(product.get(), q.get(), qinv.get(), p.get(), context.get()) != 1) return broken();
  if ((!BN_is_one(product.get()) || BN_cmp(qinv.get(), p.get()) >= 0) &&
      BN_mod_inverse(qinv.get(), q.get(), p.get(), context.get()) == nullptr) {
    return mismatch();
  }
  SecretParams params;
  params.push(OSSL_PKEY_PARAM_RSA_N, n.get());
  params.push(OSSL_PKEY_PARAM_RSA_E, e.get());
  params.push(OSSL_PKEY_PARAM_RSA_D, d.get());
  params.push(OSSL_PKEY_PARAM_RSA_FACTOR1, p.get());
  params.push(OSSL_PKEY_PARAM_RSA_FACTOR2, q.get());
  params.push(OSSL_PKEY_PARAM_RSA_EXPONENT1, dp.get());
  params.push(OSSL_PKEY_PARAM_RSA_EXPONENT2, dq.get());
  params.push(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qinv.get());
  EvpPkeyPtr key = params.build(kRsaKeyType);
  if (key == nullptr) return broken();
  return std::shared_ptr<const SoftwareKey>(new SoftwareKey(std::move(key), public_key, std::move(traits)));
}

Result<std::shared_ptr<const SoftwareKey>> SoftwareKey::from_scalar(const PublicKey& public_key,
                                                                    const SecureBytes& scalar, KeyTraits traits) {
  const LibcryptoUse use;
  if (libctx() == nullptr) return fail(ErrorCode::kInternal, "libcrypto gave no library context");
  if (public_key.type() == KeyType::kRsa) return mismatch();
  const ByteView point = public_key.ec_point();
  EvpPkeyPtr key;
  if (public_key.type() == KeyType::kEc) {
    using GroupPtr = std::unique_ptr<EC_GROUP, OpensslDeleter<EC_GROUP_free>>;
    using PointPtr = std::unique_ptr<EC_POINT, OpensslDeleter<EC_POINT_free>>;
    const Curve* curve = find_curve(public_key.ec_params());
    const GroupPtr group(EC_GROUP_new_by_curve_name_ex(libctx(), nullptr, curve->nid));
    const BnCtxPtr context(BN_CTX_new_ex(libctx()));
    const BignumPtr d = secret_number(scalar);
    const PointPtr computed(group ? EC_POINT_new(group.get()) : nullptr);
    if (!context || !d || !computed)
      return fail(ErrorCode::kInternal, "the curve is not available: " + openssl_reason());
    if (BN_is_zero(d.get()) || BN_cmp(d.get(), EC_GROUP_get0_order(group.get())) >= 0) return mismatch();
    Bytes octets(point.size());
    if (EC_POINT_mul(group.get(), computed.get(), d.get(), nullptr, nullptr, context.get()) != 1 ||
        EC_POINT_point2oct(group.get(), computed.get(), POINT_CONVERSION_UNCOMPRESSED, octets.data(), octets.size(),
                           context.get()) != octets.size() ||
        !equal(octets, point)) {
      return mismatch();
    }
    SecretParams params;
    params.push(OSSL_PKEY_PARAM_GROUP_NAME, public_key.group());
    params.push(OSSL_PKEY_PARAM_PUB_KEY, point);
    params.push(OSSL_PKEY_PARAM_PRIV_KEY, d.get());
    key = params.build(kEcKeyType);
  } else {
    key.reset(EVP_PKEY_new_raw_private_key_ex(libctx(), edwards_curve(public_key.type()).algorithm, nullptr,
                                              scalar.data(), scalar.size()));
    Bytes octets(point.size());
    std::size_t length = octets.size();
    if (key == nullptr || EVP_PKEY_get_raw_public_key(key.get(), octets.data(), &length) != 1 ||
        !equal(octets, point)) {
      return mismatch();
    }
  }
  if (key == nullptr) return fail(ErrorCode::kInternal, "libcrypto refused the key: " + openssl_reason());
  return std::shared_ptr<const SoftwareKey>(new SoftwareKey(std::move(key), public_key, std::move(traits)));
}

bool SoftwareKey::type_can_sign(KeyType type, const SignScheme& scheme) {
  switch (scheme.algorithm) {
    case SignAlgorithm::kRsaPkcs1:
    case SignAlgorithm::kRsaPss:
    case SignAlgorithm::kRsaRaw:
      return type == KeyType::kRsa;
    case SignAlgorithm::kEcdsa:
      return type == KeyType::kEc;
    case SignAlgorithm::kEddsa:
      return type == KeyType::kEd25519 || type == KeyType::kEd448;
  }
  return false;
}
bool SoftwareKey::type_can_decrypt(KeyType type, const CipherScheme& /*scheme*/) { return type == KeyType::kRsa; }
bool SoftwareKey::type_can_derive(KeyType type) { return type == KeyType::kEc; }

bool SoftwareKey::can_sign(const SignScheme& scheme) const { return type_can_sign(public_key().type(), scheme); }
bool SoftwareKey::can_decrypt(const CipherScheme& scheme) const {
  return type_can_decrypt(public_key().type(), scheme);
}
bool SoftwareKey::can_derive() const { return type_can_derive(public_key().type()); }

Result<std::size_t> SoftwareKey::sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const {
  const LibcryptoUse use;
  if (!can_sign(scheme)) return fail(ErrorCode::kUnsupported, "a key of this type cannot sign in this way");
  std::size_t length = out.size();
  if (scheme.algorithm == SignAlgorithm::kEddsa) {
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    if (context == nullptr ||
        EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, libctx(), nullptr, key_.get(), nullptr) <= 0 ||
        EVP_DigestSign(context.get(), out.data(), &length, input.data(), input.size()) <= 0) {
      return fail(ErrorCode::kInternal, "libcrypto did not sign: " + openssl_reason());
    }
    return length;
  }
  EvpPkeyCtxPtr context = pool_->take(scheme);
  if (context == nullptr) {
    context = new_context(key_.get());
    if (context == nullptr || EVP_PKEY_sign_init(context.get()) <= 0 || !apply_scheme(context.get(), scheme)) {
      return fail(ErrorCode::kInvalidArgument, "the key cannot sign in this way: " + openssl_reason());
    }
  }
  if (EVP_PKEY_sign(context.get(), out.data(), &length, input.data(), input.size()) <= 0) {
    return fail(ErrorCode::kInvalidArgument, "libcrypto did not sign: " + openssl_reason());
  }
  pool_->give_back(scheme, std::move(context));
  return length;
}

Result<SecureBytes> SoftwareKey::decrypt(const CipherScheme& scheme, ByteView ciphertext) const {
  const LibcryptoUse use;
  if (!can_decrypt(scheme)) return fail(ErrorCode::kUnsupported, "a key of this type cannot decrypt");
  const EvpPkeyCtxPtr context = new_context(key_.get());
  if (context == nullptr || EVP_PKEY_decrypt_init(context.get()) <= 0 || !apply_scheme(context.get(), scheme)) {
    return fail(ErrorCode::kInvalidArgument, "the key cannot decrypt in this way: " + openssl_reason());
  }
  SecureBytes plaintext(public_key().field_size());
  std::size_t length = plaintext.size();
  if (EVP_PKEY_decrypt(context.get(), plaintext.data(), &length, ciphertext.data(), ciphertext.size()) <= 0) {
    return fail(ErrorCode::kDecryptionFailed, "the data was not encrypted for this key");
  }
  plaintext.resize(length);
  return plaintext;
}

Result<SecureBytes> SoftwareKey::derive(ByteView peer) const {
  const LibcryptoUse use;
  if (!can_derive()) return fail(ErrorCode::kUnsupported, "a key of this type cannot derive");
  const auto peer_key = PublicKey::ec(public_key().ec_params(), peer);
  if (!peer_key) return fail(peer_key);
  EVP_PKEY* peer_evp = peer_key->evp();
  if (peer_evp == nullptr)
    return fail(ErrorCode::kInvalidArgument, "the peer's public key is not a point of the curve");
  const EvpPkeyCtxPtr context = new_context(key_.get());
  SecureBytes secret(public_key().field_size());
  std::size_t length = secret.size();
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) <= 0 ||
      EVP_PKEY_derive_set_peer_ex(context.get(), peer_evp, 1) <= 0) {
    return fail(ErrorCode::kInvalidArgument, "the peer's public key does not fit: " + openssl_reason());
  }
  if (EVP_PKEY_derive(context.get(), secret.data(), &length) <= 0) {
    return fail(ErrorCode::kInternal, "libcrypto did not derive: " + openssl_reason());
  }
  secret.resize(length);
  return secret;
}

}  // namespace devtrust
