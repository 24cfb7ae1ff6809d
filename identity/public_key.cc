#include "identity/public_key.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include <algorithm>
#include <atomic>
#include <bit>

#include "identity/curve.h"
#include "identity/der.h"
#include "identity/evp_scheme.h"
#include "identity/openssl.h"

namespace devtrust {
namespace {

constexpr std::array<std::uint8_t, 11> kRsaEncryption{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};
constexpr std::array<std::uint8_t, 11> kRsassaPss{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A};
constexpr std::array<std::uint8_t, 9> kEcPublicKey{0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
constexpr std::array<std::uint8_t, 2> kDerNull{0x05, 0x00};

constexpr int kMinRsaBits = 1024;
constexpr int kMaxRsaBits = 16384;

ByteView without_leading_zeros(ByteView number) {
  const auto first = std::ranges::find_if(number, [](std::uint8_t octet) { return octet != 0; });
  return number.subspan(static_cast<std::size_t>(first - number.begin()));
}

int bit_length(ByteView number) {
  return number.empty() ? 0 : static_cast<int>(number.size() * 8) - std::countl_zero(number[0]);
}

void append(Bytes& out, ByteView more) { out.insert(out.end(), more.begin(), more.end()); }

Bytes encode_integer(ByteView magnitude) {
  Bytes content;
  if (magnitude.empty() || (magnitude[0] & 0x80U) != 0) content.push_back(0);
  append(content, magnitude);
  return der_encode(der::kInteger, content);
}

Bytes encode_spki(ByteView algorithm, ByteView parameters, ByteView key) {
  Bytes identifier = to_bytes(algorithm);
  append(identifier, parameters);
  Bytes content = der_encode(der::kSequence, identifier);
  Bytes bits{0};
  append(bits, key);
  append(content, der_encode(der::kBitString, bits));
  return der_encode(der::kSequence, content);
}

struct ParamBuilder {
  std::unique_ptr<OSSL_PARAM_BLD, OpensslDeleter<OSSL_PARAM_BLD_free>> builder{OSSL_PARAM_BLD_new()};
  EvpPkeyPtr build(const char* algorithm) const {
    const std::unique_ptr<OSSL_PARAM, OpensslDeleter<OSSL_PARAM_free>> params(OSSL_PARAM_BLD_to_param(builder.get()));
    const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(libctx(), algorithm, nullptr));
    EVP_PKEY* key = nullptr;
    if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) <= 0) {
      return nullptr;
    }
    return EvpPkeyPtr(key);
  }
};

}  // namespace

struct PublicKey::State {
  KeyType type = KeyType::kRsa;
  const Curve* curve = nullptr;
  int bits = 0;
  Bytes spki, modulus, exponent, ec_point;
  std::array<std::uint8_t, 20> id{};
  mutable std::atomic<EVP_PKEY*> evp{nullptr};

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_PKEY_free(evp.load(std::memory_order_relaxed)); }

  bool compute_id() {
    const LibcryptoUse use;
    const Bytes& input = type == KeyType::kRsa ? modulus : ec_point;
    return EVP_Digest(input.data(), input.size(), id.data(), nullptr, fetched_md(Digest::kSha1), nullptr) == 1;
  }

  EvpPkeyPtr make_evp() const {
    if (libctx() == nullptr) return nullptr;
    if (type == KeyType::kEd25519 || type == KeyType::kEd448) {
      return EvpPkeyPtr(
          EVP_PKEY_new_raw_public_key_ex(libctx(), curve->algorithm, nullptr, ec_point.data(), ec_point.size()));
    }
    const ParamBuilder params;
    OSSL_PARAM_BLD* builder = params.builder.get();
    if (type == KeyType::kEc) {
      const bool pushed =
          builder != nullptr &&
          OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1 &&
          OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, ec_point.data(), ec_point.size()) == 1;
      return pushed ? params.build(kEcKeyType) : nullptr;
    }
    const BignumPtr n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
    const BignumPtr e(BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
    const bool pushed = builder != nullptr && n != nullptr && e != nullptr &&
                        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
                        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e.get()) == 1;
    return pushed ? params.build(kRsaKeyType) : nullptr;
  }
};

PublicKey::PublicKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}

const char* key_type_name(KeyType type) {
  switch (type) {
    case KeyType::kRsa:
      return "RSA";
    case KeyType::kEc:
      return "EC";
    case KeyType::kEd25519:
      return "Ed25519";
    case KeyType::kEd448:
      return "Ed448";
  }
  return "unknown";
}

Result<PublicKey> PublicKey::rsa(ByteView modulus, ByteView exponent) {
  const ByteView n = without_leading_zeros(modulus);
  const ByteView e = without_leading_zeros(exponent);
  const int bits = bit_length(n);
  if (bits < kMinRsaBits || bits > kMaxRsaBits) {
    return fail(ErrorCode::kUnsupported, "an RSA key of " + std::to_string(bits) + " bits is outside of 1024 to 16384");
  }
  // Even numbers are no RSA key; an exponent over 64 bits serves only to make verification slow.
  if ((n.back() & 1U) == 0 || e.empty() || (e.back() & 1U) == 0 || e.size() > 8 || bit_length(e) < 2) {
    return fail(ErrorCode::kCorrupt, "the RSA public key's numbers are impossible");
  }
  const auto state = std::make_shared<State>();
  state->bits = bits;
  state->modulus = to_bytes(n);
  state->exponent = to_bytes(e);
  Bytes numbers = encode_integer(n);
  append(numbers, encode_integer(e));
  state->spki = encode_spki(kRsaEncryption, kDerNull, der_encode(der::kSequence, numbers));
  if (!state->compute_id()) return fail(ErrorCode::kInternal, "SHA-1 is not available in libcrypto");
  return PublicKey(state);
}

Result<PublicKey> PublicKey::ec(ByteView params, ByteView point) {
  const Curve* curve = find_curve(params);
  if (curve == nullptr) {
    return fail(ErrorCode::kUnsupported, "the key's curve is not one of P-256, P-384, P-521, Ed25519 and Ed448");
  }
  const bool weierstrass = curve->type == KeyType::kEc;
  const std::size_t size = weierstrass ? 2 * curve->field_size + 1 : curve->field_size;
  if (point.size() != size) {
    const auto wrapped = der_single(point, der::kOctetString);
    if (!wrapped || wrapped->content.size() != size) {
      return fail(ErrorCode::kCorrupt, "the public point does not have the length of its curve");
    }
    point = wrapped->content;
  }
  if (weierstrass && point[0] != 0x04) return fail(ErrorCode::kCorrupt, "the public point is not an uncompressed one");
  const auto state = std::make_shared<State>();
  state->type = curve->type;
  state->curve = curve;
  state->bits = curve->bits;
  state->ec_point = to_bytes(point);
  state->spki = weierstrass ? encode_spki(kEcPublicKey, curve->oid, point) : encode_spki(curve->oid, {}, point);
  if (!state->compute_id()) return fail(ErrorCode::kInternal, "SHA-1 is not available in libcrypto");
  return PublicKey(state);
}

Result<PublicKey> PublicKey::from_spki(ByteView der) {
  const auto corrupt = [] { return fail(ErrorCode::kCorrupt, "the public key is not a DER SubjectPublicKeyInfo"); };
  const auto sequence = der_single(der, der::kSequence);
  if (!sequence) return corrupt();
  DerReader reader(sequence->content);
  const auto algorithm = reader.next(der::kSequence);
  const auto bits = reader.next(der::kBitString);
  if (!algorithm || !bits || !reader.empty() || bits->content.empty() || bits->content[0] != 0) return corrupt();
  DerReader identifier(algorithm->content);
  const auto oid = identifier.next(der::kOid);
  if (!oid) return corrupt();
  const ByteView key = bits->content.subspan(1);

  if (equal(oid->whole, kRsaEncryption) || equal(oid->whole, kRsassaPss)) {
    const auto numbers = der_single(key, der::kSequence);
    if (!numbers) return corrupt();
    DerReader number(numbers->content);
    const auto n = number.next(der::kInteger);
    const auto e = number.next(der::kInteger);
    if (!n || !e || !number.empty() || !der_unsigned(*n) || !der_unsigned(*e)) return corrupt();
    return rsa(*der_unsigned(*n), *der_unsigned(*e));
  }
  if (equal(oid->whole, kEcPublicKey)) {
    const auto curve = identifier.next();
    if (!curve) return corrupt();
    return ec(curve->whole, key);
  }
  if (equal(oid->whole, edwards_curve(KeyType::kEd25519).oid) ||
      equal(oid->whole, edwards_curve(KeyType::kEd448).oid)) {
    return ec(oid->whole, key);
  }
  return fail(ErrorCode::kUnsupported, "keys of the algorithm " + oid_text(oid->content) + " are not supported");
}

Result<PublicKey> PublicKey::from_evp(const EVP_PKEY* key) {
  const LibcryptoUse use;
  unsigned char* der = nullptr;
  const int length = key != nullptr ? i2d_PUBKEY(key, &der) : -1;
  if (length <= 0) return fail(ErrorCode::kUnsupported, "the key has no public part: " + openssl_reason());
  auto parsed = from_spki({der, static_cast<std::size_t>(length)});
  OPENSSL_free(der);
  return parsed;
}

KeyType PublicKey::type() const { return state_->type; }
int PublicKey::bits() const { return state_->bits; }
ByteView PublicKey::spki() const { return state_->spki; }
ByteView PublicKey::modulus() const { return state_->modulus; }
ByteView PublicKey::exponent() const { return state_->exponent; }
ByteView PublicKey::ec_params() const { return state_->curve != nullptr ? state_->curve->oid : ByteView(); }
ByteView PublicKey::ec_point() const { return state_->ec_point; }
const char* PublicKey::group() const { return state_->curve != nullptr ? state_->curve->group : nullptr; }
const std::array<std::uint8_t, 20>& PublicKey::id() const { return state_->id; }

std::size_t PublicKey::field_size() const {
  return state_->curve != nullptr ? state_->curve->field_size : state_->modulus.size();
}

std::size_t PublicKey::max_signature_size() const {
  switch (state_->type) {
    case KeyType::kRsa:
      return state_->modulus.size();
    case KeyType::kEc: {
      // Two INTEGERs as long as the group's order, with room for a sign octet, in a SEQUENCE.
      const std::size_t integer = static_cast<std::size_t>(state_->bits) / 8 + 1;
      const std::size_t content = 2 * (integer + 2);
      return content + (content < 0x80 ? 2 : 3);
    }
    case KeyType::kEd25519:
    case KeyType::kEd448:
      return 2 * state_->curve->field_size;
  }
  return 0;
}

EVP_PKEY* PublicKey::evp() const {
  EVP_PKEY* key = state_->evp.load(std::memory_order_acquire);
  if (key != nullptr) return key;
  const LibcryptoUse use;
  EvpPkeyPtr made = state_->make_evp();
  if (made == nullptr) return nullptr;
  if (state_->evp.compare_exchange_strong(key, made.get(), std::memory_order_acq_rel)) return made.release();
  return key;
}

Result<void> PublicKey::verify(const SignScheme& scheme, ByteView input, ByteView signature) const {
  const LibcryptoUse use;
  EVP_PKEY* key = evp();
  if (key == nullptr) return fail(ErrorCode::kCorrupt, "the public key is not a point of its curve");
  int verified = 0;
  if (input.empty() && scheme == SignScheme{SignAlgorithm::kRsaPkcs1}) {
    // libcrypto verifies no empty data, but it recovers it.
    const auto recovered = recover(scheme, signature);
    verified = recovered && recovered->empty() ? 1 : 0;
  } else if (scheme.algorithm == SignAlgorithm::kEddsa) {
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    if (context == nullptr ||
        EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, libctx(), nullptr, key, nullptr) <= 0) {
      return fail(ErrorCode::kUnsupported, "the key cannot verify: " + openssl_reason());
    }
    verified = EVP_DigestVerify(context.get(), signature.data(), signature.size(), input.data(), input.size());
  } else {
    const EvpPkeyCtxPtr context = new_context(key);
    if (context == nullptr || EVP_PKEY_verify_init(context.get()) <= 0 || !apply_scheme(context.get(), scheme)) {
      return fail(ErrorCode::kUnsupported, "the key cannot verify such a signature: " + openssl_reason());
    }
    verified = EVP_PKEY_verify(context.get(), signature.data(), signature.size(), input.data(), input.size());
  }
  if (verified != 1) return fail(ErrorCode::kSignatureInvalid, "the signature does not verify");
  return {};
}

Result<Bytes> PublicKey::recover(const SignScheme& scheme, ByteView signature) const {
  const LibcryptoUse use;
  const EvpPkeyCtxPtr context = new_context(evp());
  if (context == nullptr || EVP_PKEY_verify_recover_init(context.get()) <= 0 || !apply_scheme(context.get(), scheme)) {
    return fail(ErrorCode::kUnsupported, "the key cannot recover what was signed: " + openssl_reason());
  }
  Bytes data(field_size());
  std::size_t length = data.size();
  if (EVP_PKEY_verify_recover(context.get(), data.data(), &length, signature.data(), signature.size()) <= 0) {
    return fail(ErrorCode::kSignatureInvalid, "the signature does not verify");
  }
  data.resize(length);
  return data;
}

Result<Bytes> PublicKey::encrypt(const CipherScheme& scheme, ByteView plaintext) const {
  const LibcryptoUse use;
  const EvpPkeyCtxPtr context = new_context(evp());
  if (context == nullptr || EVP_PKEY_encrypt_init(context.get()) <= 0 || !apply_scheme(context.get(), scheme)) {
    return fail(ErrorCode::kUnsupported, "the key cannot encrypt in this way: " + openssl_reason());
  }
  Bytes ciphertext(field_size());
  std::size_t length = ciphertext.size();
  if (EVP_PKEY_encrypt(context.get(), ciphertext.data(), &length, plaintext.data(), plaintext.size()) <= 0) {
    return fail(ErrorCode::kInvalidArgument, "the data cannot be encrypted with this key: " + openssl_reason());
  }
  ciphertext.resize(length);
  return ciphertext;
}

bool operator==(const PublicKey& a, const PublicKey& b) {
  return a.state_ == b.state_ || equal(a.state_->spki, b.state_->spki);
}

}  // namespace devtrust
