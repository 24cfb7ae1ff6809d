#include "backends/token/token_key.h"

#include <algorithm>
#include <array>
#include <utility>

#include "identity/der.h"
#include "identity/digest_info.h"
#include "identity/ecdsa.h"
#include "identity/fork.h"

namespace devtrust {
namespace {

struct DigestRow {
  Digest digest;
  CK_MECHANISM_TYPE hash;
  CK_RSA_PKCS_MGF_TYPE mgf1;
};
constexpr std::array<DigestRow, 5> kDigests{{{Digest::kSha1, CKM_SHA_1, CKG_MGF1_SHA1},
                                             {Digest::kSha224, CKM_SHA224, CKG_MGF1_SHA224},
                                             {Digest::kSha256, CKM_SHA256, CKG_MGF1_SHA256},
                                             {Digest::kSha384, CKM_SHA384, CKG_MGF1_SHA384},
                                             {Digest::kSha512, CKM_SHA512, CKG_MGF1_SHA512}}};

const DigestRow* row_of(Digest digest) {
  for (const DigestRow& row : kDigests) {
    if (row.digest == digest) return &row;
  }
  return nullptr;
}

CK_BYTE* data_of(ByteView bytes) { return const_cast<CK_BYTE*>(bytes.data()); }
CK_ULONG length_of(ByteView bytes) { return static_cast<CK_ULONG>(bytes.size()); }

std::optional<CK_RSA_PKCS_PSS_PARAMS> pss_parameters(const SignScheme& scheme) {
  const DigestRow* digest = row_of(scheme.digest);
  const DigestRow* mgf1 = row_of(scheme.mgf1);
  if (digest == nullptr || mgf1 == nullptr) return std::nullopt;
  return CK_RSA_PKCS_PSS_PARAMS{digest->hash, mgf1->mgf1, scheme.salt_length};
}

/// `label` must outlive it.
std::optional<CK_RSA_PKCS_OAEP_PARAMS> oaep_parameters(const CipherScheme& scheme) {
  const DigestRow* digest = row_of(scheme.digest);
  const DigestRow* mgf1 = row_of(scheme.mgf1);
  if (digest == nullptr || mgf1 == nullptr) return std::nullopt;
  return CK_RSA_PKCS_OAEP_PARAMS{digest->hash, mgf1->mgf1, CKZ_DATA_SPECIFIED,
                                 scheme.label.empty() ? nullptr : data_of(scheme.label), length_of(scheme.label)};
}

template <typename Parameters>
CK_MECHANISM with(CK_MECHANISM_TYPE type, Parameters& parameters) {
  return {type, &parameters, sizeof parameters};
}

CK_MECHANISM_TYPE cipher_mechanism(CipherAlgorithm algorithm) {
  return algorithm == CipherAlgorithm::kRsaOaep  ? CKM_RSA_PKCS_OAEP
         : algorithm == CipherAlgorithm::kRsaRaw ? CKM_RSA_X_509
                                                 : CKM_RSA_PKCS;
}

tl::unexpected<TokenFailure> too_much() {
  return refused(ErrorCode::kCorrupt, "its module gives lengths that cannot be true");
}

bool same_traits(const KeyTraits& a, const KeyTraits& b) {
  return a.label == b.label && a.may_sign == b.may_sign && a.may_decrypt == b.may_decrypt &&
         a.may_derive == b.may_derive && a.always_sensitive == b.always_sensitive &&
         a.never_extractable == b.never_extractable && a.local == b.local;
}

}  // namespace

TokenKey::TokenKey(std::shared_ptr<Token> token, PublicKey public_key, TokenPrivateKey object,
                   TokenMechanisms mechanisms)
    : PrivateKey(std::move(public_key), object.traits),
      token_(std::move(token)),
      object_(std::move(object)),
      mechanisms_(std::move(mechanisms)) {}

bool TokenKey::same_as(const PublicKey& public_key, const TokenPrivateKey& object,
                       const TokenMechanisms& mechanisms) const {
  return this->public_key() == public_key && object_.id == object.id && same_traits(traits(), object.traits) &&
         object_.always_authenticate == object.always_authenticate && mechanisms_ == mechanisms;
}

bool TokenKey::has(CK_MECHANISM_TYPE type, CK_FLAGS flag) const {
  const auto found = mechanisms_.find(type);
  return found != mechanisms_.end() && (found->second & flag) != 0;
}

bool TokenKey::can_sign(const SignScheme& scheme) const {
  if (!traits().may_sign) return false;
  const KeyType type = public_key().type();
  switch (scheme.algorithm) {
    case SignAlgorithm::kRsaPkcs1:
      return type == KeyType::kRsa && has(CKM_RSA_PKCS, CKF_SIGN);
    case SignAlgorithm::kRsaRaw:
      return type == KeyType::kRsa && has(CKM_RSA_X_509, CKF_SIGN);
    case SignAlgorithm::kEcdsa:
      return type == KeyType::kEc && has(CKM_ECDSA, CKF_SIGN);
    case SignAlgorithm::kEddsa:
      return (type == KeyType::kEd25519 || type == KeyType::kEd448) && has(CKM_EDDSA, CKF_SIGN);
    case SignAlgorithm::kRsaPss:
      break;
  }
  if (type != KeyType::kRsa || !has(CKM_RSA_PKCS_PSS, CKF_SIGN)) return false;
  return (row_of(scheme.digest) != nullptr && scheme.digest == scheme.mgf1 &&
          scheme.salt_length == digest_size(scheme.digest)) ||
         signs(scheme);
}

bool TokenKey::can_decrypt(const CipherScheme& scheme) const {
  if (!traits().may_decrypt || public_key().type() != KeyType::kRsa) return false;
  if (scheme.algorithm == CipherAlgorithm::kRsaTls) return false;
  if (!has(cipher_mechanism(scheme.algorithm), CKF_DECRYPT)) return false;
  if (scheme.algorithm != CipherAlgorithm::kRsaOaep) return true;
  if (row_of(scheme.digest) == nullptr || row_of(scheme.mgf1) == nullptr) return false;
  if (scheme.digest == Digest::kSha1 && scheme.mgf1 == Digest::kSha1 && scheme.label.empty()) return true;
  return decrypts(scheme);
}

bool TokenKey::can_derive() const {
  return traits().may_derive && public_key().type() == KeyType::kEc && has(CKM_ECDH1_DERIVE, CKF_DERIVE);
}

bool TokenKey::remembered(const std::string& what, const std::function<std::optional<bool>()>& ask) const {
  {
    const std::lock_guard guard(mutex_);
    if (const auto known = abilities_.find(what); known != abilities_.end()) return known->second;
  }
  const auto answer = ask();
  if (!answer) return true;
  const std::lock_guard guard(mutex_);
  abilities_.emplace(what, *answer);
  return *answer;
}

bool TokenKey::signs(const SignScheme& scheme) const {
  auto parameters = pss_parameters(scheme);
  if (!parameters) return false;
  const std::string what = "PSS/" + std::to_string(parameters->hashAlg) + '/' + std::to_string(parameters->mgf) + '/' +
                           std::to_string(scheme.salt_length);
  return remembered(what, [&]() -> std::optional<bool> {
    std::optional<bool> answer;
    static_cast<void>(token_->in_session<void>([&](TokenSession& session) -> TokenAnswer<> {
      const auto key = find_private_key(session, object_.id, public_key());
      if (!key || key->handle == CK_INVALID_HANDLE) return {};
      session.discard();  // the operation would go on in it
      CK_MECHANISM mechanism = with(CKM_RSA_PKCS_PSS, *parameters);
      const CK_RV rv = session.call(&CK_FUNCTION_LIST::C_SignInit, &mechanism, key->handle);
      if (rv == CKR_OK) answer = true;
      if (rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_ARGUMENTS_BAD || rv == CKR_MECHANISM_INVALID) answer = false;
      return {};
    }));
    return answer;
  });
}

bool TokenKey::decrypts(const CipherScheme& scheme) const {
  const std::string what = std::string("OAEP/") + digest_name(scheme.digest) + '/' + digest_name(scheme.mgf1) +
                           (scheme.label.empty() ? "" : "/label");
  return remembered(what, [&]() -> std::optional<bool> {
    const Bytes sample{1, 2, 3};
    const auto ciphertext = public_key().encrypt(scheme, sample);
    if (!ciphertext) return std::nullopt;
    const auto plaintext = decrypt(scheme, *ciphertext);
    if (plaintext) return std::ranges::equal(*plaintext, sample);
    const ErrorCode code = plaintext.error().code;
    if (code == ErrorCode::kUnsupported || code == ErrorCode::kDecryptionFailed) return false;
    return std::nullopt;
  });
}

TokenAnswer<FoundKey> TokenKey::object(TokenSession& session, bool anew) const {
  if (!anew) {
    const std::lock_guard guard(mutex_);
    if (found_.handle != CK_INVALID_HANDLE && found_in_ == token_->epoch() && found_by_ == fork_number()) return found_;
  }
  auto found = find_private_key(session, object_.id, public_key());
  if (found && found->handle == CK_INVALID_HANDLE) {
    if (auto in = token_->ensure_login(session); !in) return tl::unexpected(in.error());
    found = find_private_key(session, object_.id, public_key());
  }
  if (found && found->handle == CK_INVALID_HANDLE) {
    found = refused(ErrorCode::kNotFound, "the private key is not on the token any more");
  }
  if (!found) {
    // Neither hides a good one.
    const ErrorCode code = found.error().error.code;
    if (code == ErrorCode::kKeyMismatch || code == ErrorCode::kNotFound) intact_ = false;
    return found;
  }
  const std::lock_guard guard(mutex_);
  found_ = *found;
  found_in_ = token_->epoch();
  found_by_ = fork_number();
  return found;
}

template <typename T, typename Body>
Result<T> TokenKey::use(Body body) const {
  auto result = token_->in_session<T>([&](TokenSession& session) -> TokenAnswer<T> {
    for (int attempt = 0;; ++attempt) {
      const auto key = object(session, attempt > 0);
      if (!key) return tl::unexpected(key.error());
      auto done = body(session, *key);
      if (done || attempt > 0) return done;
      const CK_RV rv = done.error().rv;
      if (rv == CKR_USER_NOT_LOGGED_IN) {
        if (auto in = token_->ensure_login(session, true); !in) return tl::unexpected(in.error());
      } else if (rv != CKR_KEY_HANDLE_INVALID && rv != CKR_OBJECT_HANDLE_INVALID) {
        return done;
      }
    }
  });
  // For a store that is an empty place; for a key, a device that fails.
  if (!result && result.error().code == ErrorCode::kNotFound) result.error().code = ErrorCode::kIo;
  return result;
}

TokenAnswer<> TokenKey::begin_signing(TokenSession& session, CK_MECHANISM& mechanism, CK_OBJECT_HANDLE key) const {
  const CK_RV rv = session.call(&CK_FUNCTION_LIST::C_SignInit, &mechanism, key);
  if (rv != CKR_OK) return refused(rv);
  return object_.always_authenticate ? token_->login_for_use(session) : TokenAnswer<>();
}

TokenAnswer<std::size_t> TokenKey::sign_raw(TokenSession& session, CK_OBJECT_HANDLE key, const SignScheme& scheme,
                                            ByteView input, std::span<std::uint8_t> out) const {
  CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
  std::optional<CK_RSA_PKCS_PSS_PARAMS> pss;
  Bytes made;
  switch (scheme.algorithm) {
    case SignAlgorithm::kRsaPkcs1:
      if (scheme.digest != Digest::kNone) input = made = digest_info(scheme.digest, input);
      break;
    case SignAlgorithm::kRsaRaw:
      mechanism.mechanism = CKM_RSA_X_509;
      break;
    case SignAlgorithm::kRsaPss:
      pss = pss_parameters(scheme);
      if (!pss) return refused(CKR_MECHANISM_PARAM_INVALID);
      mechanism = with(CKM_RSA_PKCS_PSS, *pss);
      break;
    case SignAlgorithm::kEcdsa:
      mechanism.mechanism = CKM_ECDSA;
      input = input.first(std::min(input.size(), public_key().field_size()));  // ECDSA uses no more of a digest
      break;
    case SignAlgorithm::kEddsa:
      mechanism.mechanism = CKM_EDDSA;
      break;
  }
  if (auto begun = begin_signing(session, mechanism, key); !begun) return tl::unexpected(begun.error());
  auto length = static_cast<CK_ULONG>(out.size());
  const CK_RV rv = session.call(&CK_FUNCTION_LIST::C_Sign, data_of(input), length_of(input), out.data(), &length);
  if (rv != CKR_OK) return refused(rv);
  if (length == 0 || length > out.size()) return too_much();
  return length;
}

Result<std::size_t> TokenKey::sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) const {
  const PublicKey& key = public_key();
  const std::size_t size = key.field_size();
  if (scheme.algorithm == SignAlgorithm::kRsaRaw &&
      (input.size() != size || std::ranges::lexicographical_compare(key.modulus(), input))) {
    return fail(ErrorCode::kInvalidArgument, "what is to be signed is not below the key's modulus");
  }
  if (scheme.algorithm == SignAlgorithm::kRsaPkcs1 && scheme.digest != Digest::kNone &&
      input.size() != digest_size(scheme.digest)) {
    return fail(ErrorCode::kInvalidArgument, "the digest has not its algorithm's length");
  }
  return use<std::size_t>([&](TokenSession& session, const FoundKey& found) -> TokenAnswer<std::size_t> {
    Bytes signature(scheme.algorithm == SignAlgorithm::kEcdsa ? 2 * size : key.max_signature_size());
    const auto length = sign_raw(session, found.handle, scheme, input, signature);
    if (!length) return tl::unexpected(length.error());
    signature.resize(*length);
    if (scheme.algorithm == SignAlgorithm::kEcdsa) {
      if (signature.size() % 2 != 0) return too_much();
      signature = ecdsa_to_der(signature);
    }
    if (signature.size() > out.size()) return too_much();
    if (!found.proven) {
      if (!key.verify(scheme, input, signature)) {
        intact_ = false;
        return refused(ErrorCode::kKeyMismatch, "the private key does not belong to the certificate");
      }
      const std::lock_guard guard(mutex_);
      if (found_.handle == found.handle) found_.proven = true;
    }
    std::ranges::copy(signature, out.begin());
    return signature.size();
  });
}

Result<SecureBytes> TokenKey::decrypt(const CipherScheme& scheme, ByteView ciphertext) const {
  auto oaep = oaep_parameters(scheme);
  if (scheme.algorithm == CipherAlgorithm::kRsaTls || (scheme.algorithm == CipherAlgorithm::kRsaOaep && !oaep)) {
    return tl::unexpected(token_error(CKR_MECHANISM_PARAM_INVALID));
  }
  return use<SecureBytes>([&](TokenSession& session, const FoundKey& found) -> TokenAnswer<SecureBytes> {
    CK_MECHANISM mechanism{cipher_mechanism(scheme.algorithm), nullptr, 0};
    if (scheme.algorithm == CipherAlgorithm::kRsaOaep) mechanism = with(CKM_RSA_PKCS_OAEP, *oaep);
    CK_RV rv = session.call(&CK_FUNCTION_LIST::C_DecryptInit, &mechanism, found.handle);
    if (rv != CKR_OK) return refused(rv);
    if (object_.always_authenticate) {
      if (auto in = token_->login_for_use(session); !in) return tl::unexpected(in.error());
    }
    SecureBytes plaintext(public_key().field_size());
    auto length = static_cast<CK_ULONG>(plaintext.size());
    rv = session.call(&CK_FUNCTION_LIST::C_Decrypt, data_of(ciphertext), length_of(ciphertext), plaintext.data(),
                      &length);
    if (rv != CKR_OK) return tl::unexpected(TokenFailure{rv, decryption_error(rv)});
    if (length > plaintext.size()) return too_much();
    plaintext.resize(length);
    return plaintext;
  });
}

Result<SecureBytes> TokenKey::derive(ByteView peer) const {
  const auto peer_key = PublicKey::ec(public_key().ec_params(), peer);
  if (!peer_key) return fail(peer_key);
  if (peer_key->evp() == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "the peer's public key is not a point of the curve");
  }
  return use<SecureBytes>([&](TokenSession& session, const FoundKey& found) -> TokenAnswer<SecureBytes> {
    CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
    CK_KEY_TYPE secret_type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    auto size = static_cast<CK_ULONG>(public_key().field_size());
    std::array<CK_ATTRIBUTE, 7> wanted{{{CKA_CLASS, &secret_class, sizeof secret_class},
                                        {CKA_KEY_TYPE, &secret_type, sizeof secret_type},
                                        {CKA_TOKEN, &no, sizeof no},
                                        {CKA_PRIVATE, &no, sizeof no},
                                        {CKA_SENSITIVE, &no, sizeof no},
                                        {CKA_EXTRACTABLE, &yes, sizeof yes},
                                        {CKA_VALUE_LEN, &size, sizeof size}}};
    // The specification had the point bare, then within an OCTET STRING, then left it open.
    const Bytes wrapped = der_encode(der::kOctetString, peer);
    CK_OBJECT_HANDLE secret = CK_INVALID_HANDLE;
    CK_RV rv = CKR_OK;
    for (const ByteView point : {peer, ByteView(wrapped)}) {
      CK_ECDH1_DERIVE_PARAMS parameters{CKD_NULL, 0, nullptr, length_of(point), data_of(point)};
      CK_MECHANISM mechanism = with(CKM_ECDH1_DERIVE, parameters);
      rv = session.call(&CK_FUNCTION_LIST::C_DeriveKey, &mechanism, found.handle, wanted.data(),
                        static_cast<CK_ULONG>(wanted.size()), &secret);
      if (rv == CKR_OK || is_stale(rv) || rv == CKR_USER_NOT_LOGGED_IN) break;
    }
    if (rv != CKR_OK) return refused(rv);
    SecureBytes value(size);
    CK_ATTRIBUTE attribute{CKA_VALUE, value.data(), size};
    rv = session.call(&CK_FUNCTION_LIST::C_GetAttributeValue, secret, &attribute, CK_ULONG{1});
    session.call(&CK_FUNCTION_LIST::C_DestroyObject, secret);
    if (rv != CKR_OK) return refused(rv);
    if (attribute.ulValueLen != size) return too_much();
    return value;
  });
}

Result<void> TokenKey::prepare() const {
  return use<void>([](TokenSession&, const FoundKey&) -> TokenAnswer<> { return {}; });
}

}  // namespace devtrust
