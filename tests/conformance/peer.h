// OpenSSL as the other side of each operation, with the same key pair read from its PEM files.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <any>
#include <memory>
#include <string>
#include <vector>

#include "identity/bytes.h"
#include "pkcs11/cryptoki.h"
#include "tests/support/pki.h"

namespace devtrust::testing {

template <auto free_function>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;

X509Ptr read_certificate(const std::filesystem::path& pem);

/// A mechanism with its parameter, and how OpenSSL does the same.
struct SignCase {
  enum class Padding { kPkcs1, kRaw, kPss, kEcdsa, kEddsa };

  std::string name;
  CK_MECHANISM_TYPE type = 0;
  Padding padding = Padding::kPkcs1;
  const EVP_MD* hash = nullptr;  ///< of the message, by the mechanism itself; null: the input is signed as it is
  CK_RSA_PKCS_PSS_PARAMS pss{};
  bool has_pss = false;
  Bytes input;

  /// Points into this object.
  CK_MECHANISM mechanism() const;
};

struct CipherCase {
  std::string name;
  CK_MECHANISM_TYPE type = 0;
  CK_RSA_PKCS_OAEP_PARAMS oaep{};
  bool has_oaep = false;
  Bytes label;  ///< of OAEP
  Bytes plaintext;

  CK_MECHANISM mechanism() const;

 private:
  mutable CK_RSA_PKCS_OAEP_PARAMS pointed_{};
};

class Peer {
 public:
  explicit Peer(const Leaf& leaf);
  /// With the public key alone: it can verify and encrypt.
  explicit Peer(KeyPtr key) : key_(std::move(key)) {}

  bool rsa() const { return EVP_PKEY_is_a(key_.get(), "RSA") == 1; }
  bool ec() const { return EVP_PKEY_is_a(key_.get(), "EC") == 1; }
  std::size_t size() const;  ///< of a signature in PKCS#11's form
  EVP_PKEY* key() const { return key_.get(); }
  Bytes spki() const;
  /// An EC key's public point, uncompressed.
  Bytes point() const;

  /// Every mechanism that fits this kind of key, with inputs that are made from `message`.
  std::vector<SignCase> sign_cases(ByteView message) const;
  std::vector<CipherCase> cipher_cases() const;

  bool verify(const SignCase& how, ByteView input, ByteView signature) const;
  Bytes sign(const SignCase& how, ByteView input) const;
  Bytes encrypt(const CipherCase& how, ByteView plaintext) const;
  Bytes decrypt(const CipherCase& how, ByteView ciphertext) const;
  /// ECDH with another key of the curve; X9.63's function after it where `kdf` is given.
  Bytes derive(EVP_PKEY* other, const char* kdf, ByteView shared, std::size_t length) const;

 private:
  KeyPtr key_;
};

/// A new key on the same curve.
KeyPtr ephemeral(EVP_PKEY* like);
Bytes digest(const EVP_MD* hash, ByteView data);

}  // namespace devtrust::testing
