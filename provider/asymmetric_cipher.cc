// RSA encryption: provider-asym_cipher(7). As in signature.cc, a public twin keeps the parameters; it encrypts.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

#include "provider/digest.h"
#include "provider/key.h"
#include "provider/tables.h"

namespace devtrust::provider {
namespace {

using CipherPtr = std::unique_ptr<EVP_ASYM_CIPHER, OpensslDeleter<EVP_ASYM_CIPHER_free>>;

tl::unexpected<Error> twin_failed(const char* what) {
  return fail(ErrorCode::kInvalidArgument, std::string(what) + ": " + openssl_reason());
}

class Cipher {
 public:
  explicit Cipher(Provider& provider) : provider_(provider) {}

  Provider& provider() const { return provider_; }
  std::size_t size() const { return static_cast<std::size_t>(EVP_PKEY_get_size(key_->evp())); }

  /// `key`: null for the one that was there before.
  Result<void> begin(Key* key, bool decrypt, const OSSL_PARAM* params) {
    if (key != nullptr) key_ = hold(key);
    if (key_ == nullptr || key_->evp() == nullptr) return fail(ErrorCode::kInvalidArgument, "there is no key");
    if (decrypt && key_->private_key() == nullptr) {
      return fail(ErrorCode::kInvalidArgument, "a public key cannot decrypt");
    }
    twin_.reset(EVP_PKEY_CTX_new_from_pkey(libctx(), key_->evp(), nullptr));
    if (twin_ == nullptr || EVP_PKEY_encrypt_init(twin_.get()) != 1)
      return twin_failed("the key is not for encryption");
    return set(params);
  }
  Result<void> set(const OSSL_PARAM* params) {
    if (params == nullptr || params->key == nullptr) return {};
    if (twin_ == nullptr || EVP_PKEY_CTX_set_params(twin_.get(), params) <= 0) {
      return twin_failed("the parameters do not fit the key");
    }
    return {};
  }
  Result<void> get(OSSL_PARAM* params) {
    if (params == nullptr || params->key == nullptr) return {};
    if (twin_ == nullptr || EVP_PKEY_CTX_get_params(twin_.get(), params) <= 0) {
      return twin_failed("the parameters cannot be read");
    }
    return {};
  }

  Result<std::size_t> encrypt(ByteView plaintext, std::span<std::uint8_t> out) const {
    std::size_t length = out.size();
    if (EVP_PKEY_encrypt(twin_.get(), out.data(), &length, plaintext.data(), plaintext.size()) <= 0) {
      return twin_failed("the data cannot be encrypted with this key");
    }
    return length;
  }
  Result<std::size_t> decrypt(ByteView ciphertext, std::span<std::uint8_t> out) const {
    const auto scheme = settings();
    if (!scheme) return fail(scheme);
    static constexpr std::array<const char*, 4> kNames{"RSA-PKCS1", "RSA-OAEP", "RSA-RAW", "RSA-TLS"};
    const auto key = key_->use("decrypt", kNames.at(static_cast<std::size_t>(scheme->algorithm)));
    if (!key) return fail(key);
    const auto plaintext = (*key)->decrypt(*scheme, ciphertext);
    if (!plaintext) return fail(plaintext);
    if (plaintext->size() > out.size()) return fail(ErrorCode::kInvalidArgument, "there is no room for the plaintext");
    std::ranges::copy(*plaintext, out.begin());
    return plaintext->size();
  }

  std::unique_ptr<Cipher> duplicate() const {
    auto copy = std::make_unique<Cipher>(provider_);
    copy->key_ = hold(key_.get());
    if (twin_ != nullptr) copy->twin_.reset(EVP_PKEY_CTX_dup(twin_.get()));
    return twin_ == nullptr || copy->twin_ != nullptr ? std::move(copy) : nullptr;
  }

 private:
  Result<CipherScheme> settings() const {
    CipherScheme scheme;
    int padding = 0;
    std::array<OSSL_PARAM, 4> params{
        OSSL_PARAM_construct_int(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, &padding),
        OSSL_PARAM_construct_uint32(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, &scheme.tls_client_version),
        OSSL_PARAM_construct_uint32(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, &scheme.tls_negotiated_version),
        OSSL_PARAM_construct_end()};
    if (EVP_PKEY_CTX_get_params(twin_.get(), params.data()) != 1) return twin_failed("the padding cannot be read");
    switch (padding) {
      case RSA_PKCS1_PADDING:
        scheme.algorithm = CipherAlgorithm::kRsaPkcs1;
        return scheme;
      case RSA_NO_PADDING:
        scheme.algorithm = CipherAlgorithm::kRsaRaw;
        return scheme;
      case RSA_PKCS1_WITH_TLS_PADDING:
        scheme.algorithm = CipherAlgorithm::kRsaTls;
        return scheme;
      case RSA_PKCS1_OAEP_PADDING:
        return oaep_settings(std::move(scheme));
      default:
        return fail(ErrorCode::kUnsupported, "of RSA's paddings, PKCS#1, OAEP, TLS and none can be used to decrypt");
    }
  }

  Result<CipherScheme> oaep_settings(CipherScheme scheme) const {
    scheme.algorithm = CipherAlgorithm::kRsaOaep;
    std::array<char, 50> digest{};
    std::array<char, 50> mgf1{};
    void* label = nullptr;
    std::array<OSSL_PARAM, 4> params{
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, digest.data(), digest.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, mgf1.data(), mgf1.size()),
        OSSL_PARAM_construct_octet_ptr(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, &label, 0), OSSL_PARAM_construct_end()};
    if (EVP_PKEY_CTX_get_params(twin_.get(), params.data()) != 1) return twin_failed("OAEP's settings cannot be read");
    const MdPtr md = find_md(digest.front() != '\0' ? digest.data() : "SHA1");
    const MdPtr mgf1_md = mgf1.front() != '\0' ? find_md(mgf1.data()) : md;
    scheme.digest = md != nullptr ? digest_of(*md) : Digest::kNone;
    scheme.mgf1 = mgf1_md != nullptr ? digest_of(*mgf1_md) : Digest::kNone;
    if (scheme.digest == Digest::kNone || scheme.mgf1 == Digest::kNone) {
      return fail(ErrorCode::kUnsupported, "OAEP is supported with SHA-1 and SHA-2");
    }
    if (label != nullptr) {
      const auto* octets = static_cast<const std::uint8_t*>(label);
      scheme.label.assign(octets, octets + params[2].return_size);
    }
    return scheme;
  }

  Provider& provider_;
  KeyPtr key_;
  EvpPkeyCtxPtr twin_;
};

Cipher& of(void* cipher) { return *static_cast<Cipher*>(cipher); }

void* new_cipher(void* context) {
  auto& provider = *static_cast<Provider*>(context);
  return guarded<void*>(provider, nullptr, [&] { return new Cipher(provider); });
}
void free_cipher(void* cipher) { delete static_cast<Cipher*>(cipher); }
void* duplicate_cipher(void* cipher) {
  return guarded<void*>(of(cipher).provider(), nullptr, [&] { return of(cipher).duplicate().release(); });
}

template <bool Decrypt>
int init(void* cipher, void* key, const OSSL_PARAM* params) {
  Cipher& ours = of(cipher);
  return guarded(ours.provider(), 0,
                 [&] { return succeeded(ours.provider(), ours.begin(static_cast<Key*>(key), Decrypt, params)); });
}

template <bool Decrypt>
int run(void* cipher, unsigned char* out, std::size_t* length, std::size_t room, const unsigned char* in,
        std::size_t in_size) {
  Cipher& ours = of(cipher);
  return guarded(ours.provider(), 0, [&] {
    if (out == nullptr) {
      *length = ours.size();
      return 1;
    }
    const ByteView input(in, in_size);
    const std::span<std::uint8_t> place(out, room);
    const auto written = Decrypt ? ours.decrypt(input, place) : ours.encrypt(input, place);
    if (written) *length = *written;
    return succeeded(ours.provider(), written);
  });
}

int set_params(void* cipher, const OSSL_PARAM* params) {
  Cipher& ours = of(cipher);
  return guarded(ours.provider(), 0, [&] { return succeeded(ours.provider(), ours.set(params)); });
}
int get_params(void* cipher, OSSL_PARAM* params) {
  Cipher& ours = of(cipher);
  return guarded(ours.provider(), 0, [&] { return succeeded(ours.provider(), ours.get(params)); });
}

/// The default provider's list, a constant of its own.
template <const OSSL_PARAM* (*List)(const EVP_ASYM_CIPHER*)>
const OSSL_PARAM* list_params(void* /*cipher*/, void* context) {
  return guarded<const OSSL_PARAM*>(*static_cast<Provider*>(context), nullptr, [&] {
    const LibcryptoUse use;
    const CipherPtr theirs(EVP_ASYM_CIPHER_fetch(libctx(), "RSA", nullptr));
    return theirs != nullptr ? List(theirs.get()) : nullptr;
  });
}

}  // namespace

const OSSL_ALGORITHM* asymmetric_cipher_algorithms() {
  static const std::array<OSSL_DISPATCH, 12> kFunctions{
      entry(OSSL_FUNC_ASYM_CIPHER_NEWCTX, new_cipher),
      entry(OSSL_FUNC_ASYM_CIPHER_FREECTX, free_cipher),
      entry(OSSL_FUNC_ASYM_CIPHER_DUPCTX, duplicate_cipher),
      entry(OSSL_FUNC_ASYM_CIPHER_ENCRYPT_INIT, init<false>),
      entry(OSSL_FUNC_ASYM_CIPHER_ENCRYPT, run<false>),
      entry(OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, init<true>),
      entry(OSSL_FUNC_ASYM_CIPHER_DECRYPT, run<true>),
      entry(OSSL_FUNC_ASYM_CIPHER_GET_CTX_PARAMS, get_params),
      entry(OSSL_FUNC_ASYM_CIPHER_GETTABLE_CTX_PARAMS, list_params<EVP_ASYM_CIPHER_gettable_ctx_params>),
      entry(OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, set_params),
      entry(OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, list_params<EVP_ASYM_CIPHER_settable_ctx_params>)};
  static const std::array<OSSL_ALGORITHM, 2> kAlgorithms{
      {{kind_names(KeyKind::kRsa), "provider=devtrust", kFunctions.data(),
        "RSA with the key of a device-trust certificate"},
       {nullptr, nullptr, nullptr, nullptr}}};
  return kAlgorithms.data();
}

}  // namespace devtrust::provider
