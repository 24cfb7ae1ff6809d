#include "identity/evp_scheme.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include <array>

namespace devtrust {
namespace {

bool set_tls_padding(EVP_PKEY_CTX* context, std::uint32_t client, std::uint32_t negotiated) {
  const std::array<OSSL_PARAM, 3> versions{
      OSSL_PARAM_construct_uint32(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, &client),
      negotiated != 0 ? OSSL_PARAM_construct_uint32(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, &negotiated)
                      : OSSL_PARAM_construct_end(),
      OSSL_PARAM_construct_end()};
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_WITH_TLS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_params(context, versions.data()) > 0;
}

}  // namespace

bool apply_scheme(EVP_PKEY_CTX* context, const SignScheme& scheme) {
  switch (scheme.algorithm) {
    case SignAlgorithm::kRsaPkcs1:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0 &&
             (scheme.digest == Digest::kNone || EVP_PKEY_CTX_set_signature_md(context, fetched_md(scheme.digest)) > 0);
    case SignAlgorithm::kRsaPss:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
             EVP_PKEY_CTX_set_signature_md(context, fetched_md(scheme.digest)) > 0 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(context, fetched_md(scheme.mgf1)) > 0 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, scheme.salt_length) > 0;
    case SignAlgorithm::kRsaRaw:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) > 0;
    case SignAlgorithm::kEcdsa:
    case SignAlgorithm::kEddsa:
      return true;
  }
  return false;
}

bool apply_scheme(EVP_PKEY_CTX* context, const CipherScheme& scheme) {
  switch (scheme.algorithm) {
    case CipherAlgorithm::kRsaPkcs1:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
    case CipherAlgorithm::kRsaRaw:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) > 0;
    case CipherAlgorithm::kRsaTls:
      return set_tls_padding(context, scheme.tls_client_version, scheme.tls_negotiated_version);
    case CipherAlgorithm::kRsaOaep:
      break;
  }
  if (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) <= 0 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context, fetched_md(scheme.digest)) <= 0 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context, fetched_md(scheme.mgf1)) <= 0) {
    return false;
  }
  if (scheme.label.empty()) return true;
  void* label = OPENSSL_memdup(scheme.label.data(), scheme.label.size());  // the context takes it
  if (label != nullptr && EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, static_cast<int>(scheme.label.size())) > 0) {
    return true;
  }
  OPENSSL_free(label);
  return false;
}

EvpPkeyCtxPtr new_context(EVP_PKEY* key) {
  if (key == nullptr || libctx() == nullptr) return nullptr;
  return EvpPkeyCtxPtr(EVP_PKEY_CTX_new_from_pkey(libctx(), key, nullptr));
}

}  // namespace devtrust
