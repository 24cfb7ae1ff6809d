// The algorithms of keys in keychains.
#pragma once

#include <array>
#include <cstdint>

#include "identity/scheme.h"

namespace devtrust {

/// Those of Security.framework's that are used, by the ends of their names.
enum class KeychainAlgorithm : std::uint8_t {
  kNone,
  kRsaSignatureRaw,
  kRsaSignaturePkcs1Raw,
  kRsaSignaturePkcs1Sha1,
  kRsaSignaturePkcs1Sha224,
  kRsaSignaturePkcs1Sha256,
  kRsaSignaturePkcs1Sha384,
  kRsaSignaturePkcs1Sha512,
  kRsaSignaturePssSha1,
  kRsaSignaturePssSha224,
  kRsaSignaturePssSha256,
  kRsaSignaturePssSha384,
  kRsaSignaturePssSha512,
  kEcdsaSignatureX962,
  kEcdsaSignatureX962Sha1,
  kEcdsaSignatureX962Sha224,
  kEcdsaSignatureX962Sha256,
  kEcdsaSignatureX962Sha384,
  kEcdsaSignatureX962Sha512,
  kRsaEncryptionRaw,
  kRsaEncryptionPkcs1,
  kRsaEncryptionOaepSha1,
  kRsaEncryptionOaepSha224,
  kRsaEncryptionOaepSha256,
  kRsaEncryptionOaepSha384,
  kRsaEncryptionOaepSha512,
  kEcdhStandard,
};
constexpr std::size_t kKeychainAlgorithms = static_cast<std::size_t>(KeychainAlgorithm::kEcdhStandard) + 1;

/// What signs as `scheme` says; kNone where nothing does.
KeychainAlgorithm signing_algorithm(const SignScheme& scheme);
/// The same for ECDSA of a digest that has this length, for keys that want to know which one it is.
KeychainAlgorithm ecdsa_algorithm(std::size_t digest_length);
KeychainAlgorithm decryption_algorithm(const CipherScheme& scheme);

}  // namespace devtrust
