#include "tests/conformance/peer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace devtrust::testing {
namespace {

using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using EcdsaPtr = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

struct Hash {
  CK_MECHANISM_TYPE type, rsa_pkcs, rsa_pss, ecdsa;
  CK_RSA_PKCS_MGF_TYPE mgf;
  const EVP_MD* (*md)();
  ByteView digest_info;  // the DER that stands before the digest
};

// RFC 8017 §9.2, note 1
constexpr std::array<std::uint8_t, 15> kSha1Info = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                                    0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
constexpr std::array<std::uint8_t, 19> sha2_info(std::uint8_t algorithm, std::uint8_t size) {
  return {0x30,      static_cast<std::uint8_t>(17 + size),
          0x30,      0x0d,
          0x06,      0x09,
          0x60,      0x86,
          0x48,      0x01,
          0x65,      0x03,
          0x04,      0x02,
          algorithm, 0x05,
          0x00,      0x04,
          size};
}
constexpr auto kSha224Info = sha2_info(4, 28);
constexpr auto kSha256Info = sha2_info(1, 32);
constexpr auto kSha384Info = sha2_info(2, 48);
constexpr auto kSha512Info = sha2_info(3, 64);

const std::array<Hash, 5> kHashes = {{
    {CKM_SHA_1, CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKM_ECDSA_SHA1, CKG_MGF1_SHA1, EVP_sha1, kSha1Info},
    {CKM_SHA224, CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS, CKM_ECDSA_SHA224, CKG_MGF1_SHA224, EVP_sha224,
     kSha224Info},
    {CKM_SHA256, CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256, CKG_MGF1_SHA256, EVP_sha256,
     kSha256Info},
    {CKM_SHA384, CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, CKM_ECDSA_SHA384, CKG_MGF1_SHA384, EVP_sha384,
     kSha384Info},
    {CKM_SHA512, CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS, CKM_ECDSA_SHA512, CKG_MGF1_SHA512, EVP_sha512,
     kSha512Info},
}};

const Hash& hash_of(CK_MECHANISM_TYPE type) { return *std::ranges::find(kHashes, type, &Hash::type); }
const Hash& hash_of_mgf(CK_RSA_PKCS_MGF_TYPE mgf) { return *std::ranges::find(kHashes, mgf, &Hash::mgf); }

Bytes joined(ByteView first, ByteView second) {
  Bytes bytes = to_bytes(first);
  bytes.insert(bytes.end(), second.begin(), second.end());
  return bytes;
}

/// The context's padding as the case says.
void set_padding(EVP_PKEY_CTX* context, const SignCase& how) {
  switch (how.padding) {
    case SignCase::Padding::kPkcs1:
      check(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1, "padding");
      break;
    case SignCase::Padding::kRaw:
      check(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1, "padding");
      break;
    case SignCase::Padding::kPss:
      check(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1, "padding");
      check(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, static_cast<int>(how.pss.sLen)) == 1, "salt");
      check(EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash_of_mgf(how.pss.mgf).md()) == 1, "mgf");
      break;
    case SignCase::Padding::kEcdsa:
    case SignCase::Padding::kEddsa:
      break;
  }
}

/// r and s side by side, each as long as the order.
Bytes to_raw(ByteView der, std::size_t size) {
  const std::uint8_t* in = der.data();
  const EcdsaPtr signature(d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())));
  check(signature != nullptr, "not an ECDSA signature");
  Bytes raw(size);
  const int half = static_cast<int>(size / 2);
  check(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), half) == half, "r");
  check(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + half, half) == half, "s");
  return raw;
}

Bytes to_der(ByteView raw) {
  const EcdsaPtr signature(ECDSA_SIG_new());
  const int half = static_cast<int>(raw.size() / 2);
  check(ECDSA_SIG_set0(signature.get(), BN_bin2bn(raw.data(), half, nullptr),
                       BN_bin2bn(raw.data() + half, half, nullptr)) == 1,
        "r and s");
  Bytes der(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)));
  std::uint8_t* out = der.data();
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

}  // namespace

X509Ptr read_certificate(const std::filesystem::path& pem) {
  const BioPtr in(BIO_new_file(pem.string().c_str(), "r"));
  check(in != nullptr, pem.string().c_str());
  X509Ptr certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  check(certificate != nullptr, pem.string().c_str());
  return certificate;
}

Bytes digest(const EVP_MD* hash, ByteView data) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  check(EVP_Digest(data.data(), data.size(), out.data(), &size, hash, nullptr) == 1, "digest");
  return {out.begin(), out.begin() + size};
}

CK_MECHANISM SignCase::mechanism() const {
  if (!has_pss) return {type, nullptr, 0};
  return {type, const_cast<CK_RSA_PKCS_PSS_PARAMS*>(&pss), sizeof pss};
}

CK_MECHANISM CipherCase::mechanism() const {
  if (!has_oaep) return {type, nullptr, 0};
  pointed_ = oaep;
  pointed_.pSourceData = label.empty() ? nullptr : const_cast<std::uint8_t*>(label.data());
  pointed_.ulSourceDataLen = label.size();
  return {type, &pointed_, sizeof pointed_};
}

Peer::Peer(const Leaf& leaf) {
  const BioPtr in(BIO_new_file(leaf.key.string().c_str(), "r"));
  check(in != nullptr, "key file");
  key_.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  check(key_ != nullptr, "key");
  const X509Ptr certificate = read_certificate(leaf.certificate);
  check(EVP_PKEY_eq(key_.get(), X509_get0_pubkey(certificate.get())) == 1, "the key is not the certificate's");
}

std::size_t Peer::size() const {
  if (!ec()) return static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  return (static_cast<std::size_t>(EVP_PKEY_get_bits(key_.get())) + 7) / 8 * 2;
}

Bytes Peer::spki() const {
  Bytes der(static_cast<std::size_t>(i2d_PUBKEY(key_.get(), nullptr)));
  std::uint8_t* out = der.data();
  i2d_PUBKEY(key_.get(), &out);
  return der;
}

Bytes Peer::point() const {
  std::size_t length = 0;
  EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0, &length);
  Bytes point(length);
  check(EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(), &length) == 1,
        "point");
  return point;
}

std::vector<SignCase> Peer::sign_cases(ByteView message) const {
  std::vector<SignCase> cases;
  const auto add = [&cases](std::string name, CK_MECHANISM_TYPE type, SignCase::Padding padding, const EVP_MD* hash,
                            Bytes input) -> SignCase& {
    SignCase& made = cases.emplace_back();
    made.name = std::move(name);
    made.type = type;
    made.padding = padding;
    made.hash = hash;
    made.input = std::move(input);
    return made;
  };
  using Padding = SignCase::Padding;
  if (rsa()) {
    for (const Hash& hash : kHashes) {
      const std::string name = EVP_MD_get0_name(hash.md());
      const auto size = static_cast<CK_ULONG>(EVP_MD_get_size(hash.md()));
      add(name + " with PKCS#1", hash.rsa_pkcs, Padding::kPkcs1, hash.md(), to_bytes(message));
      add(name + "'s DigestInfo with PKCS#1", CKM_RSA_PKCS, Padding::kPkcs1, nullptr,
          joined(hash.digest_info, digest(hash.md(), message)));
      for (const CK_ULONG salt : {size, CK_ULONG{0}, CK_ULONG{11}}) {
        const std::string with = " with PSS, salt " + std::to_string(salt);
        SignCase& whole = add(name + with, hash.rsa_pss, Padding::kPss, hash.md(), to_bytes(message));
        whole.pss = {hash.type, hash.mgf, salt};
        whole.has_pss = true;
        SignCase& prepared =
            add(name + "'s digest" + with, CKM_RSA_PKCS_PSS, Padding::kPss, nullptr, digest(hash.md(), message));
        prepared.pss = whole.pss;
        prepared.has_pss = true;
      }
    }
    SignCase& mixed = add("SHA256's digest with PSS, MGF1 of SHA1", CKM_RSA_PKCS_PSS, Padding::kPss, nullptr,
                          digest(EVP_sha256(), message));
    mixed.pss = {CKM_SHA256, CKG_MGF1_SHA1, 32};
    mixed.has_pss = true;
    add("TLS 1.0's digests with PKCS#1", CKM_RSA_PKCS, Padding::kPkcs1, nullptr,
        joined(digest(EVP_md5(), message), digest(EVP_sha1(), message)));
    Bytes block(size(), 0x5a);
    block.front() = 0;
    add("a whole block", CKM_RSA_X_509, Padding::kRaw, nullptr, block);
  } else if (ec()) {
    for (const Hash& hash : kHashes) {
      const std::string name = EVP_MD_get0_name(hash.md());
      add(name + " with ECDSA", hash.ecdsa, Padding::kEcdsa, hash.md(), to_bytes(message));
      add(name + "'s digest with ECDSA", CKM_ECDSA, Padding::kEcdsa, nullptr, digest(hash.md(), message));
    }
  } else {
    add("EdDSA", CKM_EDDSA, Padding::kEddsa, nullptr, to_bytes(message));
  }
  return cases;
}

std::vector<CipherCase> Peer::cipher_cases() const {
  std::vector<CipherCase> cases;
  if (!rsa()) return cases;
  const auto add = [&cases](std::string name, CK_MECHANISM_TYPE type, Bytes plaintext) -> CipherCase& {
    CipherCase& made = cases.emplace_back();
    made.name = std::move(name);
    made.type = type;
    made.plaintext = std::move(plaintext);
    return made;
  };
  const Bytes secret(48, 0x42);
  add("PKCS#1", CKM_RSA_PKCS, secret);
  add("PKCS#1, the longest", CKM_RSA_PKCS, Bytes(size() - 11, 0x17));
  add("PKCS#1, one byte", CKM_RSA_PKCS, Bytes(1, 0));
  Bytes block(size(), 0x33);
  block.front() = 0;
  add("a whole block", CKM_RSA_X_509, block);
  for (const Hash& hash : kHashes) {
    const std::string name = EVP_MD_get0_name(hash.md());
    CipherCase& oaep = add("OAEP with " + name, CKM_RSA_PKCS_OAEP, secret);
    oaep.oaep = {hash.type, hash.mgf, CKZ_DATA_SPECIFIED, nullptr, 0};
    oaep.has_oaep = true;
    CipherCase labelled = oaep;
    labelled.name += " and a label";
    labelled.label = Bytes(7, 0x77);
    cases.push_back(std::move(labelled));
  }
  CipherCase& mixed = add("OAEP with SHA256, MGF1 of SHA1", CKM_RSA_PKCS_OAEP, secret);
  mixed.oaep = {CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0};
  mixed.has_oaep = true;
  return cases;
}

bool Peer::verify(const SignCase& how, ByteView input, ByteView signature) const {
  if (how.padding == SignCase::Padding::kEddsa || (how.hash != nullptr && how.padding != SignCase::Padding::kEcdsa)) {
    const DigestContextPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* key_context = nullptr;
    check(EVP_DigestVerifyInit(context.get(), &key_context, how.hash, nullptr, key_.get()) == 1, "verify init");
    set_padding(key_context, how);
    return EVP_DigestVerify(context.get(), signature.data(), signature.size(), input.data(), input.size()) == 1;
  }
  const ContextPtr context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  if (how.padding == SignCase::Padding::kEcdsa) {
    if (signature.size() != size()) return false;
    const Bytes der = to_der(signature);
    const Bytes hashed = how.hash != nullptr ? digest(how.hash, input) : to_bytes(input);
    check(EVP_PKEY_verify_init(context.get()) == 1, "verify init");
    return EVP_PKEY_verify(context.get(), der.data(), der.size(), hashed.data(), hashed.size()) == 1;
  }
  if (how.padding == SignCase::Padding::kPss) {
    check(EVP_PKEY_verify_init(context.get()) == 1, "verify init");
    set_padding(context.get(), how);
    check(EVP_PKEY_CTX_set_signature_md(context.get(), hash_of(how.pss.hashAlg).md()) == 1, "hash");
    return EVP_PKEY_verify(context.get(), signature.data(), signature.size(), input.data(), input.size()) == 1;
  }
  check(EVP_PKEY_verify_recover_init(context.get()) == 1, "recover init");
  set_padding(context.get(), how);
  Bytes recovered(size());
  std::size_t length = recovered.size();
  if (EVP_PKEY_verify_recover(context.get(), recovered.data(), &length, signature.data(), signature.size()) != 1) {
    ERR_clear_error();
    return false;
  }
  recovered.resize(length);
  if (how.padding == SignCase::Padding::kRaw) {
    Bytes block(size() - std::min(input.size(), size()), 0);
    block.insert(block.end(), input.begin(), input.end());
    return recovered == block;
  }
  return std::ranges::equal(recovered, input);
}

Bytes Peer::sign(const SignCase& how, ByteView input) const {
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())));
  std::size_t length = signature.size();
  if (how.padding == SignCase::Padding::kEddsa || (how.hash != nullptr && how.padding != SignCase::Padding::kEcdsa)) {
    const DigestContextPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* key_context = nullptr;
    check(EVP_DigestSignInit(context.get(), &key_context, how.hash, nullptr, key_.get()) == 1, "sign init");
    set_padding(key_context, how);
    check(EVP_DigestSign(context.get(), signature.data(), &length, input.data(), input.size()) == 1, "sign");
  } else {
    const ContextPtr context(EVP_PKEY_CTX_new(key_.get(), nullptr));
    check(EVP_PKEY_sign_init(context.get()) == 1, "sign init");
    set_padding(context.get(), how);
    if (how.has_pss) {
      check(EVP_PKEY_CTX_set_signature_md(context.get(), hash_of(how.pss.hashAlg).md()) == 1, "hash");
    }
    const Bytes prepared = how.hash != nullptr ? digest(how.hash, input) : to_bytes(input);
    check(EVP_PKEY_sign(context.get(), signature.data(), &length, prepared.data(), prepared.size()) == 1, "sign");
  }
  signature.resize(length);
  return how.padding == SignCase::Padding::kEcdsa ? to_raw(signature, size()) : signature;
}

namespace {

void set_cipher(EVP_PKEY_CTX* context, const CipherCase& how) {
  if (!how.has_oaep) {
    const int padding = how.type == CKM_RSA_X_509 ? RSA_NO_PADDING : RSA_PKCS1_PADDING;
    check(EVP_PKEY_CTX_set_rsa_padding(context, padding) == 1, "padding");
    return;
  }
  check(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1, "padding");
  check(EVP_PKEY_CTX_set_rsa_oaep_md(context, hash_of(how.oaep.hashAlg).md()) == 1, "hash");
  check(EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash_of_mgf(how.oaep.mgf).md()) == 1, "mgf");
  if (!how.label.empty()) {
    void* label = OPENSSL_memdup(how.label.data(), how.label.size());
    check(EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, static_cast<int>(how.label.size())) == 1, "label");
  }
}

}  // namespace

Bytes Peer::encrypt(const CipherCase& how, ByteView plaintext) const {
  const ContextPtr context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  check(EVP_PKEY_encrypt_init(context.get()) == 1, "encrypt init");
  set_cipher(context.get(), how);
  Bytes out(size());
  std::size_t length = out.size();
  check(EVP_PKEY_encrypt(context.get(), out.data(), &length, plaintext.data(), plaintext.size()) == 1, "encrypt");
  out.resize(length);
  return out;
}

Bytes Peer::decrypt(const CipherCase& how, ByteView ciphertext) const {
  const ContextPtr context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  check(EVP_PKEY_decrypt_init(context.get()) == 1, "decrypt init");
  set_cipher(context.get(), how);
  Bytes out(size());
  std::size_t length = out.size();
  check(EVP_PKEY_decrypt(context.get(), out.data(), &length, ciphertext.data(), ciphertext.size()) == 1, "decrypt");
  out.resize(length);
  return out;
}

Bytes Peer::derive(EVP_PKEY* other, const char* kdf, ByteView shared, std::size_t length) const {
  const ContextPtr context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  check(EVP_PKEY_derive_init(context.get()) == 1, "derive init");
  check(EVP_PKEY_derive_set_peer(context.get(), other) == 1, "derive peer");
  std::size_t size = 0;
  check(EVP_PKEY_derive(context.get(), nullptr, &size) == 1, "derive");
  Bytes secret(size);
  check(EVP_PKEY_derive(context.get(), secret.data(), &size) == 1, "derive");
  if (kdf == nullptr) return secret;

  const std::unique_ptr<EVP_KDF, Freer<EVP_KDF_free>> function(EVP_KDF_fetch(nullptr, "X963KDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, Freer<EVP_KDF_CTX_free>> running(EVP_KDF_CTX_new(function.get()));
  const std::array<OSSL_PARAM, 4> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(kdf), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<std::uint8_t*>(shared.data()), shared.size()),
      OSSL_PARAM_construct_end()};
  Bytes out(length);
  check(EVP_KDF_derive(running.get(), out.data(), out.size(), params.data()) == 1, "kdf");
  return out;
}

KeyPtr ephemeral(EVP_PKEY* like) {
  const ContextPtr context(EVP_PKEY_CTX_new(like, nullptr));
  check(EVP_PKEY_keygen_init(context.get()) == 1, "keygen init");
  EVP_PKEY* made = nullptr;
  check(EVP_PKEY_keygen(context.get(), &made) == 1, "keygen");
  return KeyPtr(made);
}

}  // namespace devtrust::testing
