#include "pkcs11/mechanism.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstring>
#include <iterator>
#include <optional>

namespace devtrust::pkcs11 {
namespace {

enum class Family : std::uint8_t { kDigest, kRsaPkcs, kRsaPss, kRsaOaep, kRsaRaw, kEcdsa, kEcdh, kEddsa };

struct Row {
  CK_MECHANISM_TYPE type;
  const char* name;
  Family family;
  Digest hash = Digest::kNone;  // computed by the mechanism itself
};

#define ROW(type, ...) \
  { type, #type, __VA_ARGS__ }
constexpr Row kMechanisms[] = {
    ROW(CKM_RSA_PKCS, Family::kRsaPkcs),
    ROW(CKM_RSA_X_509, Family::kRsaRaw),
    ROW(CKM_SHA1_RSA_PKCS, Family::kRsaPkcs, Digest::kSha1),
    ROW(CKM_RSA_PKCS_OAEP, Family::kRsaOaep),
    ROW(CKM_RSA_PKCS_PSS, Family::kRsaPss),
    ROW(CKM_SHA1_RSA_PKCS_PSS, Family::kRsaPss, Digest::kSha1),
    ROW(CKM_SHA256_RSA_PKCS, Family::kRsaPkcs, Digest::kSha256),
    ROW(CKM_SHA384_RSA_PKCS, Family::kRsaPkcs, Digest::kSha384),
    ROW(CKM_SHA512_RSA_PKCS, Family::kRsaPkcs, Digest::kSha512),
    ROW(CKM_SHA256_RSA_PKCS_PSS, Family::kRsaPss, Digest::kSha256),
    ROW(CKM_SHA384_RSA_PKCS_PSS, Family::kRsaPss, Digest::kSha384),
    ROW(CKM_SHA512_RSA_PKCS_PSS, Family::kRsaPss, Digest::kSha512),
    ROW(CKM_SHA224_RSA_PKCS, Family::kRsaPkcs, Digest::kSha224),
    ROW(CKM_SHA224_RSA_PKCS_PSS, Family::kRsaPss, Digest::kSha224),
    ROW(CKM_SHA_1, Family::kDigest, Digest::kSha1),
    ROW(CKM_SHA256, Family::kDigest, Digest::kSha256),
    ROW(CKM_SHA224, Family::kDigest, Digest::kSha224),
    ROW(CKM_SHA384, Family::kDigest, Digest::kSha384),
    ROW(CKM_SHA512, Family::kDigest, Digest::kSha512),
    ROW(CKM_ECDSA, Family::kEcdsa),
    ROW(CKM_ECDSA_SHA1, Family::kEcdsa, Digest::kSha1),
    ROW(CKM_ECDSA_SHA224, Family::kEcdsa, Digest::kSha224),
    ROW(CKM_ECDSA_SHA256, Family::kEcdsa, Digest::kSha256),
    ROW(CKM_ECDSA_SHA384, Family::kEcdsa, Digest::kSha384),
    ROW(CKM_ECDSA_SHA512, Family::kEcdsa, Digest::kSha512),
    ROW(CKM_ECDH1_DERIVE, Family::kEcdh),
    ROW(CKM_ECDH1_COFACTOR_DERIVE, Family::kEcdh),
    ROW(CKM_EDDSA, Family::kEddsa),
};
#undef ROW
static_assert(std::ranges::is_sorted(kMechanisms, {}, &Row::type));

const Row* find_row(CK_MECHANISM_TYPE type) {
  const auto* row = std::ranges::lower_bound(kMechanisms, type, {}, &Row::type);
  return row != std::end(kMechanisms) && row->type == type ? row : nullptr;
}

Digest digest_of(CK_MECHANISM_TYPE type) {
  const Row* row = find_row(type);
  return row != nullptr && row->family == Family::kDigest ? row->hash : Digest::kNone;
}

Digest mgf1_digest(CK_RSA_PKCS_MGF_TYPE mgf) {
  switch (mgf) {
    case CKG_MGF1_SHA1:
      return Digest::kSha1;
    case CKG_MGF1_SHA224:
      return Digest::kSha224;
    case CKG_MGF1_SHA256:
      return Digest::kSha256;
    case CKG_MGF1_SHA384:
      return Digest::kSha384;
    case CKG_MGF1_SHA512:
      return Digest::kSha512;
    default:
      return Digest::kNone;
  }
}

bool fits(Family family, KeyType type) {
  switch (family) {
    case Family::kDigest:
      return false;
    case Family::kRsaPkcs:
    case Family::kRsaPss:
    case Family::kRsaOaep:
    case Family::kRsaRaw:
      return type == KeyType::kRsa;
    case Family::kEcdsa:
    case Family::kEcdh:
      return type == KeyType::kEc;
    case Family::kEddsa:
      return type == KeyType::kEd25519 || type == KeyType::kEd448;
  }
  return false;
}

/// A scheme as the mechanism would use it, to ask a key whether it can: for PSS with the usual parameters.
std::optional<SignScheme> typical_sign_scheme(const Row& row) {
  const Digest hash = row.hash == Digest::kNone ? Digest::kSha256 : row.hash;
  switch (row.family) {
    case Family::kRsaPkcs:
      return SignScheme{SignAlgorithm::kRsaPkcs1, row.hash};
    case Family::kRsaPss:
      return SignScheme{SignAlgorithm::kRsaPss, hash, hash, static_cast<std::uint16_t>(digest_size(hash))};
    case Family::kRsaRaw:
      return SignScheme{SignAlgorithm::kRsaRaw};
    case Family::kEcdsa:
      return SignScheme{SignAlgorithm::kEcdsa};
    case Family::kEddsa:
      return SignScheme{SignAlgorithm::kEddsa};
    case Family::kDigest:
    case Family::kRsaOaep:
    case Family::kEcdh:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<CipherScheme> typical_cipher_scheme(const Row& row) {
  if (row.hash != Digest::kNone) return std::nullopt;
  switch (row.family) {
    case Family::kRsaPkcs:
      return CipherScheme{CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}};
    case Family::kRsaOaep:
      return CipherScheme{CipherAlgorithm::kRsaOaep, Digest::kSha1, Digest::kSha1, {}};
    case Family::kRsaRaw:
      return CipherScheme{CipherAlgorithm::kRsaRaw, Digest::kNone, Digest::kNone, {}};
    default:
      return std::nullopt;
  }
}

/// What can be done by this mechanism with this key pair: hosts look at the list rather than at the flags, so that what
/// the private key cannot do is not offered for the public one.
CK_FLAGS key_flags(const Row& row, const PrivateKey& key) {
  if (!fits(row.family, key.public_key().type())) return 0;
  const bool recovers = row.hash == Digest::kNone && (row.family == Family::kRsaPkcs || row.family == Family::kRsaRaw);
  CK_FLAGS flags = 0;
  if (const auto scheme = typical_sign_scheme(row); scheme && key.can_sign(*scheme)) {
    flags |= CKF_SIGN | CKF_VERIFY;
    if (recovers && key.signs_any_data()) flags |= CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER;
  }
  if (const auto scheme = typical_cipher_scheme(row); scheme && key.can_decrypt(*scheme)) {
    flags |= CKF_ENCRYPT | CKF_DECRYPT;
  }
  if (row.family == Family::kEcdh && key.can_derive()) flags |= CKF_DERIVE;
  return flags;
}

CK_FLAGS token_flags(const Row& row, const std::vector<std::shared_ptr<const PrivateKey>>& keys) {
  CK_FLAGS flags = row.family == Family::kDigest ? CKF_DIGEST : 0;
  for (const auto& key : keys) flags |= key_flags(row, *key);
  return flags;
}

tl::unexpected<Failure> bad_parameter(std::string message) {
  return refuse(CKR_MECHANISM_PARAM_INVALID, std::move(message));
}

Answer<> no_parameter(const CK_MECHANISM& mechanism) {
  if (mechanism.ulParameterLen == 0) return {};
  return bad_parameter(mechanism_name(mechanism.mechanism) + " takes no parameter");
}

/// A copy of the parameter: a caller's pointer need not be aligned.
template <typename T>
Answer<T> read_parameter(const CK_MECHANISM& mechanism) {
  if (mechanism.pParameter == nullptr || mechanism.ulParameterLen != sizeof(T)) {
    return bad_parameter(mechanism_name(mechanism.mechanism) + " needs a parameter of " + std::to_string(sizeof(T)) +
                         " bytes");
  }
  T parameter;
  std::memcpy(&parameter, mechanism.pParameter, sizeof parameter);
  return parameter;
}

Answer<SignPlan> plan_pss(const CK_MECHANISM& mechanism, Digest hash, const PublicKey& key) {
  const auto parameter = read_parameter<CK_RSA_PKCS_PSS_PARAMS>(mechanism);
  if (!parameter) return tl::unexpected(parameter.error());
  const Digest digest = digest_of(parameter->hashAlg);
  const Digest mgf1 = mgf1_digest(parameter->mgf);
  if (digest == Digest::kNone || mgf1 == Digest::kNone) {
    return bad_parameter("the PSS parameter names an unknown hash or mask function");
  }
  if (hash != Digest::kNone && hash != digest) {
    return bad_parameter("the PSS parameter's hash is not the mechanism's");
  }
  // RFC 8017 §9.1.1: the encoded message is one bit shorter than the modulus.
  const std::size_t encoded = (static_cast<std::size_t>(key.bits()) + 6) / 8;
  const std::size_t taken = digest_size(digest) + 2;
  if (encoded < taken || parameter->sLen > encoded - taken) {
    return bad_parameter("the salt is too long for a key of " + std::to_string(key.bits()) + " bits");
  }
  return SignPlan{{SignAlgorithm::kRsaPss, digest, mgf1, static_cast<std::uint16_t>(parameter->sLen)}, hash};
}

Answer<> check_eddsa_parameter(const CK_MECHANISM& mechanism) {
  if (mechanism.ulParameterLen == 0) return {};
  const auto parameter = read_parameter<EddsaParams>(mechanism);
  if (!parameter) return tl::unexpected(parameter.error());
  if (parameter->phFlag != CK_FALSE || parameter->ulContextDataLen != 0) {
    return bad_parameter("only pure EdDSA without a context is supported");
  }
  return {};
}

Answer<CipherScheme> plan_oaep(const CK_MECHANISM& mechanism, const PublicKey& key) {
  const auto parameter = read_parameter<CK_RSA_PKCS_OAEP_PARAMS>(mechanism);
  if (!parameter) return tl::unexpected(parameter.error());
  const Digest digest = digest_of(parameter->hashAlg);
  const Digest mgf1 = mgf1_digest(parameter->mgf);
  if (digest == Digest::kNone || mgf1 == Digest::kNone) {
    return bad_parameter("the OAEP parameter names an unknown hash or mask function");
  }
  const CK_ULONG length = parameter->ulSourceDataLen;
  // 0 is what callers write who have no label.
  if (parameter->source != CKZ_DATA_SPECIFIED && (parameter->source != 0 || length != 0)) {
    return bad_parameter("the OAEP parameter names an unknown source");
  }
  if ((parameter->pSourceData == nullptr && length != 0) || length > INT_MAX) {
    return bad_parameter("the OAEP parameter's label is NULL or too long");
  }
  if (key.field_size() < 2 * digest_size(digest) + 2) {
    return bad_parameter("the hash is too long for a key of " + std::to_string(key.bits()) + " bits");
  }
  const auto* label = static_cast<const CK_BYTE*>(parameter->pSourceData);
  return CipherScheme{CipherAlgorithm::kRsaOaep, digest, mgf1, Bytes(label, label + length)};
}

std::optional<Digest> kdf_digest(CK_ULONG kdf) {
  switch (kdf) {
    case CKD_NULL:
      return Digest::kNone;
    case CKD_SHA1_KDF:
      return Digest::kSha1;
    case CKD_SHA224_KDF:
      return Digest::kSha224;
    case CKD_SHA256_KDF:
      return Digest::kSha256;
    case CKD_SHA384_KDF:
      return Digest::kSha384;
    case CKD_SHA512_KDF:
      return Digest::kSha512;
    default:
      return std::nullopt;
  }
}

tl::unexpected<Failure> invalid(const CK_MECHANISM& mechanism, const char* use) {
  return refuse(CKR_MECHANISM_INVALID, mechanism_name(mechanism.mechanism) + " does not " + use);
}

tl::unexpected<Failure> inconsistent(const Row& row, const PublicKey& key) {
  return refuse(CKR_KEY_TYPE_INCONSISTENT,
                std::string(row.name) + " is not for keys of type " + key_type_name(key.type()));
}

}  // namespace

const char* known_mechanism_name(CK_MECHANISM_TYPE type) {
  const Row* row = find_row(type);
  return row != nullptr ? row->name : nullptr;
}

std::string mechanism_name(CK_MECHANISM_TYPE type) {
  if (const char* name = known_mechanism_name(type)) return name;
  std::array<char, 2 * sizeof type> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), type, 16);
  return "CKM_0x" + std::string(digits.data(), end.ptr);
}

std::vector<CK_MECHANISM_TYPE> mechanism_list(const std::vector<std::shared_ptr<const PrivateKey>>& keys) {
  std::vector<CK_MECHANISM_TYPE> list;
  for (const Row& row : kMechanisms) {
    if (token_flags(row, keys) != 0) list.push_back(row.type);
  }
  return list;
}

Answer<CK_MECHANISM_INFO> mechanism_info(CK_MECHANISM_TYPE type,
                                         const std::vector<std::shared_ptr<const PrivateKey>>& keys) {
  const Row* row = find_row(type);
  const CK_FLAGS flags = row != nullptr ? token_flags(*row, keys) : 0;
  if (flags == 0) return refuse(CKR_MECHANISM_INVALID, mechanism_name(type) + " is not one of this token's");
  // Bits. A renewal may bring a key of another size: these are the sizes that the library knows.
  switch (row->family) {
    case Family::kDigest:
      break;
    case Family::kRsaPkcs:
    case Family::kRsaPss:
    case Family::kRsaOaep:
    case Family::kRsaRaw:
      return CK_MECHANISM_INFO{1024, 16384, flags};
    case Family::kEcdsa:
    case Family::kEcdh:
      return CK_MECHANISM_INFO{256, 521, flags | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS};
    case Family::kEddsa:
      return CK_MECHANISM_INFO{255, 448, flags | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_COMPRESS};
  }
  return CK_MECHANISM_INFO{0, 0, flags};
}

Answer<> check_place(const CK_MECHANISM& mechanism, const PrivateKey& key, CK_FLAGS use) {
  const Row* row = find_row(mechanism.mechanism);
  if (row == nullptr || !fits(row->family, key.public_key().type()) || (key_flags(*row, key) & use) != 0) return {};
  return refuse(CKR_MECHANISM_INVALID,
                mechanism_name(mechanism.mechanism) + " is nothing that can be begun so where the key lives");
}

Answer<SignPlan> plan_sign(const CK_MECHANISM& mechanism, const PublicKey& key) {
  const Row* row = find_row(mechanism.mechanism);
  const auto scheme = row != nullptr ? typical_sign_scheme(*row) : std::nullopt;
  if (!scheme) return invalid(mechanism, "sign");
  if (!fits(row->family, key.type())) return inconsistent(*row, key);
  if (row->family == Family::kRsaPss) return plan_pss(mechanism, row->hash, key);
  const auto checked = row->family == Family::kEddsa ? check_eddsa_parameter(mechanism) : no_parameter(mechanism);
  if (!checked) return tl::unexpected(checked.error());
  return SignPlan{*scheme, row->hash};
}

Answer<CipherScheme> plan_cipher(const CK_MECHANISM& mechanism, const PublicKey& key) {
  const Row* row = find_row(mechanism.mechanism);
  auto scheme = row != nullptr ? typical_cipher_scheme(*row) : std::nullopt;
  if (!scheme) return invalid(mechanism, "encrypt");
  if (!fits(row->family, key.type())) return inconsistent(*row, key);
  if (row->family == Family::kRsaOaep) return plan_oaep(mechanism, key);
  if (const auto checked = no_parameter(mechanism); !checked) return tl::unexpected(checked.error());
  return *std::move(scheme);
}

Answer<Digest> plan_digest(const CK_MECHANISM& mechanism) {
  const Digest digest = digest_of(mechanism.mechanism);
  if (digest == Digest::kNone) return invalid(mechanism, "digest");
  if (const auto checked = no_parameter(mechanism); !checked) return tl::unexpected(checked.error());
  return digest;
}

Answer<DerivePlan> plan_derive(const CK_MECHANISM& mechanism, const PublicKey& key) {
  const Row* row = find_row(mechanism.mechanism);
  if (row == nullptr || row->family != Family::kEcdh) return invalid(mechanism, "derive");
  if (!fits(row->family, key.type())) return inconsistent(*row, key);
  const auto parameter = read_parameter<CK_ECDH1_DERIVE_PARAMS>(mechanism);
  if (!parameter) return tl::unexpected(parameter.error());
  const auto kdf = kdf_digest(parameter->kdf);
  if (!kdf) return bad_parameter("the ECDH parameter names an unknown key derivation function");
  const CK_ULONG shared = parameter->ulSharedDataLen;
  if (parameter->pSharedData == nullptr ? shared != 0 : *kdf == Digest::kNone && shared != 0) {
    return bad_parameter("the ECDH parameter's shared data is NULL, or has no function that takes it");
  }
  if (parameter->pPublicData == nullptr) return bad_parameter("the ECDH parameter has no public point");
  const auto peer = PublicKey::ec(key.ec_params(), ByteView(parameter->pPublicData, parameter->ulPublicDataLen));
  if (!peer || peer->evp() == nullptr) {
    return bad_parameter("the ECDH parameter's public point is not one of the key's curve");
  }
  return DerivePlan{*peer, *kdf, ByteView(parameter->pSharedData, shared)};
}

}  // namespace devtrust::pkcs11
