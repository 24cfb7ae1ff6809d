#include "pkcs11/operation.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <limits>

#include "identity/ecdsa.h"

namespace devtrust::pkcs11 {
namespace {

constexpr std::size_t kPkcs1Overhead = 11;      // RFC 8017 §7.2.1 and §9.2
constexpr std::size_t kMostSignature = 139;     // DER, on the largest curve
constexpr std::size_t kMostDerived = 1U << 16;  // bytes; no key that we could make is longer
constexpr std::size_t kAnyLength = std::numeric_limits<std::size_t>::max();

tl::unexpected<Failure> bad_length(const char* what, std::size_t length) {
  return refuse(CKR_DATA_LEN_RANGE, std::string(what) + " of " + std::to_string(length) +
                                        " bytes has no length that this mechanism takes with this key");
}

/// Left-padded to the modulus's length. False where the number is not less than the modulus.
template <typename Octets>
bool pad_to_modulus(Octets& number, const PublicKey& key) {
  number.insert(number.begin(), key.field_size() - number.size(), 0);
  return std::ranges::lexicographical_compare(number, key.modulus());
}

std::size_t longest_plaintext(const CipherScheme& scheme, const PublicKey& key) {
  switch (scheme.algorithm) {
    case CipherAlgorithm::kRsaPkcs1:
      return key.field_size() - kPkcs1Overhead;
    case CipherAlgorithm::kRsaOaep:
      return key.field_size() - 2 * digest_size(scheme.digest) - 2;
    case CipherAlgorithm::kRsaRaw:
    case CipherAlgorithm::kRsaTls:
      break;
  }
  return key.field_size();
}

/// Bytes of a signature in PKCS#11's form.
std::size_t signature_size(const PublicKey& key) { return key.field_size() * (key.type() == KeyType::kRsa ? 1 : 2); }

/// C_SignRecover and C_VerifyRecover are for the mechanisms that sign data as it is, with RSA.
Answer<SignPlan> plan(const CK_MECHANISM& mechanism, const PublicKey& key, bool recover) {
  if (recover && mechanism.mechanism != CKM_RSA_PKCS && mechanism.mechanism != CKM_RSA_X_509) {
    return refuse(CKR_MECHANISM_INVALID, mechanism_name(mechanism.mechanism) + " does not recover data");
  }
  return plan_sign(mechanism, key);
}

/// Of a mechanism that is listed: PKCS#11 leaves to each token which parameters it takes.
tl::unexpected<Failure> key_cannot(const CK_MECHANISM& mechanism) {
  return refuse(CKR_MECHANISM_PARAM_INVALID, "the place where the key lives cannot do " +
                                                 mechanism_name(mechanism.mechanism) + " with this parameter");
}

Answer<> update_hash(EVP_MD_CTX* context, ByteView part) {
  const LibcryptoUse use;
  if (EVP_DigestUpdate(context, part.data(), part.size()) == 1) return {};
  return refuse(CKR_GENERAL_ERROR, "libcrypto did not hash: " + openssl_reason());
}

Answer<EvpMdCtxPtr> begin_hash(Digest digest) {
  const LibcryptoUse use;
  EvpMdCtxPtr context(EVP_MD_CTX_new());
  const EVP_MD* md = fetched_md(digest);
  if (context == nullptr || md == nullptr || EVP_DigestInit_ex2(context.get(), md, nullptr) != 1) {
    return refuse(CKR_HOST_MEMORY, "libcrypto did not begin to hash: " + openssl_reason());
  }
  return context;
}

Answer<> finish_hash(EVP_MD_CTX* context, std::span<std::uint8_t> out) {
  const LibcryptoUse use;
  if (EVP_DigestFinal_ex(context, out.data(), nullptr) == 1) return {};
  return refuse(CKR_GENERAL_ERROR, "libcrypto did not hash: " + openssl_reason());
}

/// ANSI X9.63, by libcrypto.
Answer<SecureBytes> x963(const SecureBytes& secret, const DerivePlan& plan, std::size_t length) {
  const LibcryptoUse use;
  const std::unique_ptr<EVP_KDF, OpensslDeleter<EVP_KDF_free>> kdf(
      libctx() != nullptr ? EVP_KDF_fetch(libctx(), OSSL_KDF_NAME_X963KDF, nullptr) : nullptr);
  const std::unique_ptr<EVP_KDF_CTX, OpensslDeleter<EVP_KDF_CTX_free>> context(EVP_KDF_CTX_new(kdf.get()));
  // libcrypto takes all parameters as pointers to what it could change, and changes none of these.
  const auto octets = [](const char* name, const std::uint8_t* data, std::size_t size) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(data), size);
  };
  std::array<OSSL_PARAM, 4> params{
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(digest_name(plan.kdf)), 0),
      octets(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()), OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};
  if (!plan.shared_data.empty()) {
    params[2] = octets(OSSL_KDF_PARAM_INFO, plan.shared_data.data(), plan.shared_data.size());
  }
  SecureBytes derived(length);
  if (context == nullptr || EVP_KDF_derive(context.get(), derived.data(), derived.size(), params.data()) != 1) {
    return refuse(CKR_FUNCTION_FAILED, "libcrypto did not derive: " + openssl_reason());
  }
  return derived;
}

}  // namespace

DigestOperation::DigestOperation(EvpMdCtxPtr context, Digest digest) : context_(std::move(context)), digest_(digest) {}

Answer<DigestOperation> DigestOperation::begin(const CK_MECHANISM& mechanism) {
  const auto digest = plan_digest(mechanism);
  if (!digest) return tl::unexpected(digest.error());
  auto context = begin_hash(*digest);
  if (!context) return tl::unexpected(context.error());
  return DigestOperation(*std::move(context), *digest);
}

CK_ULONG DigestOperation::size() const { return to_ulong(digest_size(digest_)); }
Answer<> DigestOperation::update(ByteView part) { return update_hash(context_.get(), part); }
Answer<> DigestOperation::finish(std::span<std::uint8_t> out) { return finish_hash(context_.get(), out); }

SignedData::SignedData(const SignPlan& plan, const PublicKey& key)
    : hash_(plan.hash), algorithm_(plan.scheme.algorithm) {
  switch (algorithm_) {
    case SignAlgorithm::kRsaPkcs1:
      most_ = key.field_size() - kPkcs1Overhead;
      break;
    case SignAlgorithm::kRsaPss:
      least_ = most_ = digest_size(plan.scheme.digest);
      break;
    case SignAlgorithm::kRsaRaw:
      most_ = key.field_size();
      break;
    case SignAlgorithm::kEcdsa:
    case SignAlgorithm::kEddsa:
      most_ = kAnyLength;
      break;
  }
}

Answer<> SignedData::update(ByteView part) {
  in_parts_ = true;
  if (hash_ != Digest::kNone) {
    if (context_ == nullptr) {
      auto context = begin_hash(hash_);
      if (!context) return tl::unexpected(context.error());
      context_ = *std::move(context);
    }
    return update_hash(context_.get(), part);
  }
  if (part.size() > most_ - kept_.size()) return bad_length("data", kept_.size() + part.size());
  kept_.insert(kept_.end(), part.begin(), part.end());
  return {};
}

Answer<ByteView> SignedData::finish(ByteView last, const PublicKey& key) {
  if (hash_ != Digest::kNone) {
    const std::span digest(digest_.data(), digest_size(hash_));
    if (context_ == nullptr) {
      auto context = begin_hash(hash_);
      if (!context) return tl::unexpected(context.error());
      context_ = *std::move(context);
      if (const auto updated = update_hash(context_.get(), last); !updated) return tl::unexpected(updated.error());
    }
    if (const auto finished = finish_hash(context_.get(), digest); !finished) return tl::unexpected(finished.error());
    return digest;
  }
  const ByteView data = in_parts_ ? ByteView(kept_) : last;
  if (data.size() < least_ || data.size() > most_) return bad_length("data", data.size());
  // FIPS 186-4 §6.4: of a longer hash the leftmost bits count, as many as the group's order has; libcrypto takes the
  // last few bits off.
  if (algorithm_ == SignAlgorithm::kEcdsa) return data.first(std::min(data.size(), key.field_size()));
  if (algorithm_ == SignAlgorithm::kRsaRaw) {
    if (!in_parts_) kept_.assign(data.begin(), data.end());
    if (!pad_to_modulus(kept_, key)) return refuse(CKR_DATA_INVALID, "the data is not less than the key's modulus");
    return kept_;
  }
  return data;
}

SignOperation::SignOperation(IdentityPtr identity, const SignPlan& plan, CK_MECHANISM_TYPE mechanism)
    : identity_(std::move(identity)), scheme_(plan.scheme), mechanism_(mechanism), data_(plan, key()) {}

Answer<SignOperation> SignOperation::begin(const CK_MECHANISM& mechanism, IdentityPtr identity, bool recover) {
  const auto placed = check_place(mechanism, *identity->key, recover ? CKF_SIGN_RECOVER : CKF_SIGN);
  if (!placed) return tl::unexpected(placed.error());
  const auto planned = plan(mechanism, identity->key->public_key(), recover);
  if (!planned) return tl::unexpected(planned.error());
  if (!identity->key->can_sign(planned->scheme)) return key_cannot(mechanism);
  return SignOperation(std::move(identity), *planned, mechanism.mechanism);
}

CK_ULONG SignOperation::size() const { return to_ulong(signature_size(key())); }

Answer<CK_ULONG> SignOperation::finish(ByteView last, std::span<std::uint8_t> out, const Audit& audit) {
  const auto input = data_.finish(last, key());
  if (!input) return tl::unexpected(input.error());
  if (const auto recorded = audit.record("sign", *identity_, known_mechanism_name(mechanism_)); !recorded) {
    return refuse(recorded.error());
  }
  if (scheme_.algorithm != SignAlgorithm::kEcdsa) {
    const auto length = identity_->key->sign(scheme_, *input, out);
    if (!length) return refuse(length.error());
    return *length;
  }
  std::array<std::uint8_t, kMostSignature> der{};
  const auto length = identity_->key->sign(scheme_, *input, der);
  if (!length) return refuse(length.error());
  const auto raw = out.first(size());
  if (!ecdsa_from_der(ByteView(der).first(*length), raw)) {
    return refuse(CKR_FUNCTION_FAILED, "the key made a signature that is no ECDSA signature on its curve");
  }
  return raw.size();
}

Answer<VerifyOperation> VerifyOperation::begin(const CK_MECHANISM& mechanism, const PublicKey& key, bool recover) {
  const auto planned = plan(mechanism, key, recover);
  if (!planned) return tl::unexpected(planned.error());
  return VerifyOperation(key, *planned);
}

Answer<> VerifyOperation::finish(ByteView last, ByteView signature) {
  const auto input = data_.finish(last, key_);
  if (!input) return tl::unexpected(input.error());
  const std::size_t size = signature_size(key_);
  const bool ecdsa = scheme_.algorithm == SignAlgorithm::kEcdsa;
  // PKCS#11 3.0 §2.3.1: an ECDSA signature may come with shorter halves.
  const bool fits =
      ecdsa ? !signature.empty() && signature.size() <= size && signature.size() % 2 == 0 : signature.size() == size;
  if (!fits) {
    return refuse(CKR_SIGNATURE_LEN_RANGE, "the signature has " + std::to_string(signature.size()) +
                                               " bytes instead of " + std::to_string(size));
  }
  const Bytes der = ecdsa ? ecdsa_to_der(signature) : Bytes();
  const auto verified = key_.verify(scheme_, *input, ecdsa ? ByteView(der) : signature);
  if (!verified) return refuse(verified.error());
  return {};
}

CK_ULONG VerifyOperation::recover_size() const {
  return to_ulong(key_.field_size() - (scheme_.algorithm == SignAlgorithm::kRsaPkcs1 ? kPkcs1Overhead : 0));
}

Answer<Bytes> VerifyOperation::recover(ByteView signature) {
  if (signature.size() != key_.field_size()) {
    return refuse(CKR_SIGNATURE_LEN_RANGE, "the signature is not as long as the key's modulus");
  }
  auto recovered = key_.recover(scheme_, signature);
  if (!recovered) return refuse(recovered.error());
  return *std::move(recovered);
}

Answer<EncryptOperation> EncryptOperation::begin(const CK_MECHANISM& mechanism, const PublicKey& key) {
  auto scheme = plan_cipher(mechanism, key);
  if (!scheme) return tl::unexpected(scheme.error());
  return EncryptOperation(key, *std::move(scheme));
}

Answer<> EncryptOperation::update(ByteView part) {
  in_parts_ = true;
  if (part.size() > longest_plaintext(scheme_, key_) - plaintext_.size()) {
    return bad_length("data", plaintext_.size() + part.size());
  }
  plaintext_.reserve(key_.field_size());
  plaintext_.insert(plaintext_.end(), part.begin(), part.end());
  return {};
}

Answer<Bytes> EncryptOperation::finish(ByteView last) {
  ByteView data = in_parts_ ? ByteView(plaintext_) : last;
  if (data.size() > longest_plaintext(scheme_, key_)) return bad_length("data", data.size());
  if (scheme_.algorithm == CipherAlgorithm::kRsaRaw) {
    plaintext_.reserve(key_.field_size());
    if (!in_parts_) plaintext_.assign(data.begin(), data.end());
    if (!pad_to_modulus(plaintext_, key_)) {
      return refuse(CKR_DATA_INVALID, "the data is not less than the key's modulus");
    }
    data = plaintext_;
  }
  auto encrypted = key_.encrypt(scheme_, data);
  if (!encrypted) return refuse(encrypted.error());
  return *std::move(encrypted);
}

Answer<DecryptOperation> DecryptOperation::begin(const CK_MECHANISM& mechanism, IdentityPtr identity) {
  const auto placed = check_place(mechanism, *identity->key, CKF_DECRYPT);
  if (!placed) return tl::unexpected(placed.error());
  auto scheme = plan_cipher(mechanism, identity->key->public_key());
  if (!scheme) return tl::unexpected(scheme.error());
  if (!identity->key->can_decrypt(*scheme)) return key_cannot(mechanism);
  return DecryptOperation(std::move(identity), *std::move(scheme), mechanism.mechanism);
}

CK_ULONG DecryptOperation::max_size() const {
  return to_ulong(longest_plaintext(scheme_, identity_->key->public_key()));
}

Answer<> DecryptOperation::update(ByteView part) {
  in_parts_ = true;
  plaintext_.reset();
  if (part.size() > identity_->key->public_key().field_size() - ciphertext_.size()) {
    return refuse(CKR_ENCRYPTED_DATA_LEN_RANGE, "the data is longer than the key's modulus");
  }
  ciphertext_.insert(ciphertext_.end(), part.begin(), part.end());
  return {};
}

Answer<ByteView> DecryptOperation::finish(ByteView last, const Audit& audit) {
  if (!in_parts_ && !equal(last, ciphertext_)) {
    ciphertext_ = to_bytes(last);
    plaintext_.reset();
  }
  if (plaintext_) return *plaintext_;
  const PublicKey& key = identity_->key->public_key();
  if (ciphertext_.size() != key.field_size()) {
    return refuse(CKR_ENCRYPTED_DATA_LEN_RANGE, "the data is not as long as the key's modulus");
  }
  if (!std::ranges::lexicographical_compare(ciphertext_, key.modulus())) {
    return refuse(CKR_ENCRYPTED_DATA_INVALID, "the data is not less than the key's modulus");
  }
  if (const auto recorded = audit.record("decrypt", *identity_, known_mechanism_name(mechanism_)); !recorded) {
    return refuse(recorded.error());
  }
  // Of a wrong padding nothing is told but that it is wrong: libcrypto finds that out in constant time.
  auto decrypted = identity_->key->decrypt(scheme_, ciphertext_);
  if (!decrypted) return refuse(decrypted.error());
  plaintext_ = *std::move(decrypted);
  return *plaintext_;
}

Answer<SecureBytes> derive_secret(const CK_MECHANISM& mechanism, const Identity& identity, CK_ULONG length,
                                  const Audit& audit) {
  const PublicKey& key = identity.key->public_key();
  const auto placed = check_place(mechanism, *identity.key, CKF_DERIVE);
  if (!placed) return tl::unexpected(placed.error());
  const auto planned = plan_derive(mechanism, key);
  if (!planned) return tl::unexpected(planned.error());
  const bool plain = planned->kdf == Digest::kNone;
  if (length > (plain ? key.field_size() : kMostDerived)) {
    return refuse(CKR_ATTRIBUTE_VALUE_INVALID, "the key is to be longer than what can be derived");
  }
  if (const auto recorded = audit.record("derive", identity, known_mechanism_name(mechanism.mechanism)); !recorded) {
    return refuse(recorded.error());
  }
  auto secret = identity.key->derive(planned->peer.ec_point());
  if (!secret && secret.error().code == ErrorCode::kInvalidArgument) {
    return refuse(CKR_MECHANISM_PARAM_INVALID, secret.error().message);
  }
  if (!secret) return refuse(secret.error());
  if (!plain) return x963(*secret, *planned, length != 0 ? length : digest_size(planned->kdf));
  // PKCS#11 3.0 §2.3.8: what is too much is taken off at the leading end.
  if (length != 0) secret->erase(secret->begin(), secret->end() - static_cast<std::ptrdiff_t>(length));
  return *std::move(secret);
}

}  // namespace devtrust::pkcs11
