// Keys and certificates from the files that tests/support/pki.h makes.
#pragma once

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "identity/certificate.h"
#include "identity/openssl.h"
#include "identity/software_key.h"
#include "tests/support/pki.h"

namespace devtrust::testing {

inline EvpPkeyPtr load_key(const std::filesystem::path& pem) {
  const BioPtr in(BIO_new_file(pem.string().c_str(), "r"));
  EvpPkeyPtr key(PEM_read_bio_PrivateKey_ex(in.get(), nullptr, nullptr, nullptr, libctx(), nullptr));
  if (!key) throw std::runtime_error("no key in " + pem.string());
  return key;
}

inline Bytes load_der(const std::filesystem::path& pem) {
  const BioPtr in(BIO_new_file(pem.string().c_str(), "r"));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long length = 0;
  if (PEM_read_bio(in.get(), &name, &header, &data, &length) != 1) throw std::runtime_error("no PEM: " + pem.string());
  Bytes der(data, data + length);
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  return der;
}

inline CertificatePtr load_certificate(const std::filesystem::path& pem) {
  auto parsed = Certificate::parse(load_der(pem));
  if (!parsed) throw std::runtime_error(pem.string() + ": " + parsed.error().message);
  return *parsed;
}

/// A new key by libcrypto; `name` as EVP_PKEY_Q_keygen takes it, `parameter` the bits or the group.
inline EvpPkeyPtr make_key(const std::string& type) {
  if (type.starts_with("rsa:"))
    return EvpPkeyPtr(EVP_PKEY_Q_keygen(libctx(), nullptr, "RSA", std::stoul(type.substr(4))));
  if (type.starts_with("ec:")) return EvpPkeyPtr(EVP_PKEY_Q_keygen(libctx(), nullptr, "EC", type.substr(3).c_str()));
  return EvpPkeyPtr(EVP_PKEY_Q_keygen(libctx(), nullptr, type == "ed448" ? "ED448" : "ED25519"));
}

inline SecureBytes secret_number(const EvpPkeyPtr& key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key.get(), name, &number) != 1) throw std::runtime_error(name);
  const BignumPtr owner(number);
  SecureBytes bytes(static_cast<std::size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, bytes.data());
  return bytes;
}

}  // namespace devtrust::testing
