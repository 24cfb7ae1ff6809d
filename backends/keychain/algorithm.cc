#include "backends/keychain/algorithm.h"

namespace devtrust {
namespace {

/// `first` is the one for SHA-1; the others follow it as Digest has them.
KeychainAlgorithm with_digest(KeychainAlgorithm first, Digest digest) {
  const int step = static_cast<int>(digest) - static_cast<int>(Digest::kSha1);
  return static_cast<KeychainAlgorithm>(static_cast<int>(first) + step);
}

}  // namespace

KeychainAlgorithm signing_algorithm(const SignScheme& scheme) {
  switch (scheme.algorithm) {
    case SignAlgorithm::kRsaPkcs1:
      return scheme.digest == Digest::kNone ? KeychainAlgorithm::kRsaSignaturePkcs1Raw
                                            : with_digest(KeychainAlgorithm::kRsaSignaturePkcs1Sha1, scheme.digest);
    case SignAlgorithm::kRsaPss:
      // The salt is as long as the digest, and one hash does for both.
      if (scheme.digest == Digest::kNone || scheme.mgf1 != scheme.digest ||
          scheme.salt_length != digest_size(scheme.digest)) {
        return KeychainAlgorithm::kNone;
      }
      return with_digest(KeychainAlgorithm::kRsaSignaturePssSha1, scheme.digest);
    case SignAlgorithm::kRsaRaw:
      return KeychainAlgorithm::kRsaSignatureRaw;
    case SignAlgorithm::kEcdsa:
      return KeychainAlgorithm::kEcdsaSignatureX962;
    case SignAlgorithm::kEddsa:
      break;
  }
  return KeychainAlgorithm::kNone;
}

KeychainAlgorithm ecdsa_algorithm(std::size_t digest_length) {
  for (const Digest digest : {Digest::kSha1, Digest::kSha224, Digest::kSha256, Digest::kSha384, Digest::kSha512}) {
    if (digest_size(digest) == digest_length) return with_digest(KeychainAlgorithm::kEcdsaSignatureX962Sha1, digest);
  }
  return KeychainAlgorithm::kNone;
}

KeychainAlgorithm decryption_algorithm(const CipherScheme& scheme) {
  switch (scheme.algorithm) {
    case CipherAlgorithm::kRsaPkcs1:
      return KeychainAlgorithm::kRsaEncryptionPkcs1;
    case CipherAlgorithm::kRsaRaw:
      return KeychainAlgorithm::kRsaEncryptionRaw;
    case CipherAlgorithm::kRsaOaep:
      // There is no way to give a label, and one hash does for both.
      if (scheme.digest == Digest::kNone || scheme.mgf1 != scheme.digest || !scheme.label.empty()) break;
      return with_digest(KeychainAlgorithm::kRsaEncryptionOaepSha1, scheme.digest);
    case CipherAlgorithm::kRsaTls:
      break;
  }
  return KeychainAlgorithm::kNone;
}

}  // namespace devtrust
