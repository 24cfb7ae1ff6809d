// Running operations: what C_…Init begins and C_…Final ends. No handles and no sessions here; a session guards its own.
// Output-length rules (NULL buffer, CKR_BUFFER_TOO_SMALL) are the callers'; sizes here are computed, never tried.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "identity/audit.h"
#include "identity/openssl.h"
#include "identity/snapshot.h"
#include "pkcs11/mechanism.h"
#include "pkcs11/status.h"

namespace devtrust::pkcs11 {

class DigestOperation {
 public:
  static Answer<DigestOperation> begin(const CK_MECHANISM& mechanism);
  CK_ULONG size() const;  ///< of the digest, in bytes
  Answer<> update(ByteView part);
  /// `out` is at least size() long.
  Answer<> finish(std::span<std::uint8_t> out);

 private:
  DigestOperation(EvpMdCtxPtr context, Digest digest);
  EvpMdCtxPtr context_;
  Digest digest_;
};

/// What is to be signed or verified, given at once or in parts: hashed as it comes where the mechanism hashes,
/// otherwise kept.
class SignedData {
 public:
  SignedData(const SignPlan& plan, const PublicKey& key);
  bool in_parts() const { return in_parts_; }
  /// CKR_DATA_LEN_RANGE as soon as it is too long for the mechanism.
  Answer<> update(ByteView part);
  /// The scheme's input, which lives as long as this object and `last`. CKR_DATA_LEN_RANGE, CKR_DATA_INVALID.
  Answer<ByteView> finish(ByteView last, const PublicKey& key);

 private:
  Digest hash_;
  SignAlgorithm algorithm_;
  bool in_parts_ = false;
  std::size_t least_ = 0, most_;  // bytes that the scheme takes, where nothing is hashed
  EvpMdCtxPtr context_;           // made by the first part
  Bytes kept_;
  std::array<std::uint8_t, 64> digest_{};
};

/// Signs with an identity's key. Also C_SignRecover.
class SignOperation {
 public:
  /// `identity` stays alive with the operation, so a renewal in its middle changes nothing.
  static Answer<SignOperation> begin(const CK_MECHANISM& mechanism, IdentityPtr identity, bool recover);
  CK_ULONG size() const;                              ///< of the signature in PKCS#11's form (ECDSA: r‖s), in bytes
  bool in_parts() const { return data_.in_parts(); }  ///< whether SignUpdate was called
  Answer<> update(ByteView part) { return data_.update(part); }
  /// `last`: C_Sign's data, or empty after updates. `out` is at least size() long; returns the length written.
  /// Writes the audit line before the key is used.
  Answer<CK_ULONG> finish(ByteView last, std::span<std::uint8_t> out, const Audit& audit);

 private:
  SignOperation(IdentityPtr identity, const SignPlan& plan, CK_MECHANISM_TYPE mechanism);
  const PublicKey& key() const { return identity_->key->public_key(); }
  IdentityPtr identity_;
  SignScheme scheme_;
  CK_MECHANISM_TYPE mechanism_;
  SignedData data_;
};

/// Verifies with any of the token's public keys. Also C_VerifyRecover.
class VerifyOperation {
 public:
  static Answer<VerifyOperation> begin(const CK_MECHANISM& mechanism, const PublicKey& key, bool recover);
  bool in_parts() const { return data_.in_parts(); }
  Answer<> update(ByteView part) { return data_.update(part); }
  /// CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE.
  Answer<> finish(ByteView last, ByteView signature);
  CK_ULONG recover_size() const;
  Answer<Bytes> recover(ByteView signature);

 private:
  VerifyOperation(const PublicKey& key, const SignPlan& plan) : key_(key), scheme_(plan.scheme), data_(plan, key) {}
  PublicKey key_;
  SignScheme scheme_;
  SignedData data_;
};

/// Encrypts to a public key. RSA's mechanisms are single-part; parts are gathered where a caller uses C_EncryptUpdate.
class EncryptOperation {
 public:
  static Answer<EncryptOperation> begin(const CK_MECHANISM& mechanism, const PublicKey& key);
  CK_ULONG size() const { return to_ulong(key_.field_size()); }
  bool in_parts() const { return in_parts_; }
  Answer<> update(ByteView part);
  Answer<Bytes> finish(ByteView last);

 private:
  EncryptOperation(PublicKey key, CipherScheme scheme) : key_(std::move(key)), scheme_(std::move(scheme)) {}
  PublicKey key_;
  CipherScheme scheme_;
  SecureBytes plaintext_;  // its parts
  bool in_parts_ = false;
};

class DecryptOperation {
 public:
  static Answer<DecryptOperation> begin(const CK_MECHANISM& mechanism, IdentityPtr identity);
  CK_ULONG max_size() const;  ///< no plaintext is longer
  bool in_parts() const { return in_parts_; }
  Answer<> update(ByteView part);
  /// Decrypts once: the plaintext is kept, so that a caller whose buffer was too small can come back.
  Answer<ByteView> finish(ByteView last, const Audit& audit);

 private:
  DecryptOperation(IdentityPtr identity, CipherScheme scheme, CK_MECHANISM_TYPE mechanism)
      : identity_(std::move(identity)), scheme_(std::move(scheme)), mechanism_(mechanism) {}
  IdentityPtr identity_;
  CipherScheme scheme_;
  CK_MECHANISM_TYPE mechanism_;
  Bytes ciphertext_;
  std::optional<SecureBytes> plaintext_;
  bool in_parts_ = false;
};

/// CKM_ECDH1_DERIVE (and _COFACTOR_, the same on these curves): the shared secret after the KDF of the mechanism's
/// parameter, cut to `length` bytes (0: all of it).
Answer<SecureBytes> derive_secret(const CK_MECHANISM& mechanism, const Identity& identity, CK_ULONG length,
                                  const Audit& audit);

}  // namespace devtrust::pkcs11
