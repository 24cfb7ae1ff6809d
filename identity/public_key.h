// A public key: what is known to everyone about an identity's key pair, and what everyone may do with it.
#pragma once

#include <openssl/types.h>

#include <array>
#include <memory>

#include "identity/bytes.h"
#include "identity/result.h"
#include "identity/scheme.h"

namespace devtrust {

enum class KeyType : std::uint8_t { kRsa, kEc, kEd25519, kEd448 };

/// "RSA", "EC", "Ed25519", "Ed448".
const char* key_type_name(KeyType type);

/// Immutable and cheap to copy (shared state). Thread-safe.
class PublicKey {
 public:
  /// From a DER SubjectPublicKeyInfo. rsassaPss keys count as kRsa.
  static Result<PublicKey> from_spki(ByteView der);
  /// Big-endian unsigned numbers; leading zeros are dropped. Moduli from 1024 to 16384 bits.
  static Result<PublicKey> rsa(ByteView modulus, ByteView exponent);
  /// `params`: DER, a named curve's OID (P-256, P-384, P-521) or an Edwards curve's OID or name as PKCS#11 3.0 writes
  /// it (§2.3.5). `point`: uncompressed 04‖x‖y, or the raw Edwards point; a DER OCTET STRING around it is taken off.
  static Result<PublicKey> ec(ByteView params, ByteView point);
  /// From a key that OpenSSL holds (its private part is not looked at).
  static Result<PublicKey> from_evp(const EVP_PKEY* key);

  KeyType type() const;
  int bits() const;
  /// The longest signature, in bytes, in the form that SignScheme gives (ECDSA: DER).
  std::size_t max_signature_size() const;
  /// Bytes of one coordinate or of the group order (EC: 32, 48, 66; Ed25519: 32; Ed448: 57); RSA: bytes of the modulus.
  std::size_t field_size() const;
  ByteView spki() const;       ///< DER SubjectPublicKeyInfo
  ByteView modulus() const;    ///< RSA; no leading zero
  ByteView exponent() const;   ///< RSA; no leading zero
  ByteView ec_params() const;  ///< DER of the curve's OID; empty for RSA
  ByteView ec_point() const;   ///< as `ec` takes it, without a wrapping; empty for RSA
  const char* group() const;   ///< OpenSSL's group name ("P-256", …) for EC; null otherwise
  /// SHA-1 of the modulus or of the EC point: NSS's CKA_ID for this key.
  const std::array<std::uint8_t, 20>& id() const;

  /// kSignatureInvalid where it does not verify. The input and the signature are as SignScheme says.
  Result<void> verify(const SignScheme& scheme, ByteView input, ByteView signature) const;
  /// What was signed under kRsaPkcs1 (digest kNone) or kRsaRaw.
  Result<Bytes> recover(const SignScheme& scheme, ByteView signature) const;
  Result<Bytes> encrypt(const CipherScheme& scheme, ByteView plaintext) const;

  /// Borrowed, made on first use in our library context; null when libcrypto refuses the key.
  EVP_PKEY* evp() const;

  friend bool operator==(const PublicKey& a, const PublicKey& b);

 private:
  struct State;
  explicit PublicKey(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace devtrust
