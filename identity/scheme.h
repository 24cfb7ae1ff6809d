// Names for the ways a key is used: padding, digest, salt length.
#pragma once

#include <cstdint>
#include <string>

#include "identity/bytes.h"

namespace devtrust {

enum class Digest : std::uint8_t { kNone, kSha1, kSha224, kSha256, kSha384, kSha512 };

/// OpenSSL's name ("SHA2-256"); null for kNone.
const char* digest_name(Digest digest);
/// In bytes; 0 for kNone.
std::size_t digest_size(Digest digest);

enum class SignAlgorithm : std::uint8_t {
  kRsaPkcs1,  ///< RSASSA-PKCS1-v1_5. Digest kNone: the input is a DigestInfo (or anything that fits) and is padded as
              ///< it is
  kRsaPss,    ///< RSASSA-PSS; `digest`, `mgf1` and `salt_length` must be set
  kRsaRaw,    ///< no padding: the input is as long as the modulus
  kEcdsa,     ///< the input is a digest of any kind; the signature is a DER Ecdsa-Sig-Value
  kEddsa,     ///< the input is the message; Ed25519 or Ed448 as the key's type says
};

/// How to sign or verify. The input is the digest that `digest` names, unless the algorithm says otherwise.
struct SignScheme {
  SignAlgorithm algorithm = SignAlgorithm::kRsaPkcs1;
  Digest digest = Digest::kNone;
  Digest mgf1 = Digest::kNone;
  std::uint16_t salt_length = 0;  ///< PSS, in bytes

  friend bool operator==(const SignScheme&, const SignScheme&) = default;
};

enum class CipherAlgorithm : std::uint8_t {
  kRsaPkcs1,
  kRsaOaep,
  kRsaRaw,
  kRsaTls,  ///< decrypting only: the 48 bytes of a TLS premaster secret, or random ones where that is not what it is
};

/// How to encrypt or decrypt with RSA.
struct CipherScheme {
  CipherAlgorithm algorithm = CipherAlgorithm::kRsaPkcs1;
  Digest digest = Digest::kNone;                                     ///< OAEP
  Digest mgf1 = Digest::kNone;                                       ///< OAEP
  Bytes label;                                                       ///< OAEP
  std::uint32_t tls_client_version = 0, tls_negotiated_version = 0;  ///< kRsaTls, as the protocol writes them
};

}  // namespace devtrust
