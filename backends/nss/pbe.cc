#include "backends/nss/pbe.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>

#include "identity/der.h"
#include "identity/openssl.h"

namespace devtrust {
namespace {

// NSS writes 1 or 10,000; more than this only serves to stop the program that reads it.
constexpr std::uint64_t kMaxIterations = 1'000'000;
constexpr std::size_t kMaxSalt = 1024;

using KdfPtr = std::unique_ptr<EVP_KDF, OpensslDeleter<EVP_KDF_free>>;
using KdfCtxPtr = std::unique_ptr<EVP_KDF_CTX, OpensslDeleter<EVP_KDF_CTX_free>>;
using MacPtr = std::unique_ptr<EVP_MAC, OpensslDeleter<EVP_MAC_free>>;

tl::unexpected<Error> corrupt() {
  return fail(ErrorCode::kCorrupt, "an encrypted value is not in a form that NSS writes");
}
tl::unexpected<Error> broken() {
  return fail(ErrorCode::kInternal, "libcrypto cannot decrypt NSS's values: " + openssl_reason());
}

Result<SecureBytes> digest(Digest type, ByteView a, ByteView b) {
  SecureBytes input;
  input.reserve(std::max<std::size_t>(1, a.size() + b.size()));
  input.insert(input.end(), a.begin(), a.end());
  input.insert(input.end(), b.begin(), b.end());
  SecureBytes out(digest_size(type));
  if (EVP_Digest(input.data(), input.size(), out.data(), nullptr, fetched_md(type), nullptr) != 1) return broken();
  return out;
}

/// The functions that decrypt with one cipher of the default provider, as provider-cipher(7) names them.
/// EVP_CIPHER_fetch would construct all 124 ciphers of the provider for the one that we need: a tenth of the time from
/// dlopen to the first signature.
struct CipherFunctions {
  OSSL_FUNC_cipher_newctx_fn* newctx = nullptr;
  OSSL_FUNC_cipher_freectx_fn* freectx = nullptr;
  OSSL_FUNC_cipher_decrypt_init_fn* decrypt_init = nullptr;
  OSSL_FUNC_cipher_update_fn* update = nullptr;
  OSSL_FUNC_cipher_final_fn* final = nullptr;
};

CipherFunctions cipher_functions(const OSSL_DISPATCH* dispatch) {
  CipherFunctions functions;
  for (; dispatch->function_id != 0; ++dispatch) {
    switch (dispatch->function_id) {
      case OSSL_FUNC_CIPHER_NEWCTX:
        functions.newctx = OSSL_FUNC_cipher_newctx(dispatch);
        break;
      case OSSL_FUNC_CIPHER_FREECTX:
        functions.freectx = OSSL_FUNC_cipher_freectx(dispatch);
        break;
      case OSSL_FUNC_CIPHER_DECRYPT_INIT:
        functions.decrypt_init = OSSL_FUNC_cipher_decrypt_init(dispatch);
        break;
      case OSSL_FUNC_CIPHER_UPDATE:
        functions.update = OSSL_FUNC_cipher_update(dispatch);
        break;
      case OSSL_FUNC_CIPHER_FINAL:
        functions.final = OSSL_FUNC_cipher_final(dispatch);
        break;
    }
  }
  return functions;
}

/// All null where the provider has no such cipher. `name` is the first of its names.
CipherFunctions find_cipher(OSSL_PROVIDER* provider, std::string_view name) {
  CipherFunctions functions;
  int no_cache = 0;
  const OSSL_ALGORITHM* ciphers = OSSL_PROVIDER_query_operation(provider, OSSL_OP_CIPHER, &no_cache);
  for (const auto* cipher = ciphers; cipher != nullptr && cipher->algorithm_names != nullptr; ++cipher) {
    const std::string_view names = cipher->algorithm_names;
    if (names.substr(0, names.find(':')) == name) functions = cipher_functions(cipher->implementation);
  }
  OSSL_PROVIDER_unquery_operation(provider, OSSL_OP_CIPHER, ciphers);
  return functions;
}

struct Cipher {
  const char* name;
  std::size_t key_size;
  std::size_t iv_size;
};

Result<SecureBytes> cbc_decrypt(const Cipher& cipher, ByteView key, ByteView iv, ByteView ciphertext) {
  OSSL_PROVIDER* provider = default_provider();
  if (provider == nullptr) return broken();
  const CipherFunctions functions = find_cipher(provider, cipher.name);
  if (functions.newctx == nullptr || functions.freectx == nullptr || functions.decrypt_init == nullptr ||
      functions.update == nullptr || functions.final == nullptr) {
    return fail(ErrorCode::kInternal, std::string("libcrypto has no ") + cipher.name);
  }
  if (iv.size() != cipher.iv_size) return corrupt();
  const std::unique_ptr<void, OSSL_FUNC_cipher_freectx_fn*> context(
      functions.newctx(OSSL_PROVIDER_get0_provider_ctx(provider)), functions.freectx);
  SecureBytes plain(ciphertext.size() + 32);
  std::size_t length = 0;
  std::size_t rest = 0;
  if (context == nullptr ||
      functions.decrypt_init(context.get(), key.data(), key.size(), iv.data(), iv.size(), nullptr) != 1) {
    return broken();
  }
  if (functions.update(context.get(), plain.data(), &length, plain.size(), ciphertext.data(), ciphertext.size()) != 1 ||
      functions.final(context.get(), plain.data() + length, &rest, plain.size() - length) != 1) {
    return fail(ErrorCode::kDecryptionFailed, "an encrypted value does not decrypt with this password");
  }
  plain.resize(length + rest);
  return plain;
}

struct Pbkdf2 {
  ByteView salt;
  std::uint64_t iterations = 0;
  const char* digest = "SHA1";
};

std::optional<std::uint64_t> small_number(const DerElement& integer, std::uint64_t most) {
  const auto magnitude = der_unsigned(integer);
  if (!magnitude || magnitude->size() > 8) return std::nullopt;
  std::uint64_t value = 0;
  for (const std::uint8_t octet : *magnitude) value = value << 8U | octet;
  if (value == 0 || value > most) return std::nullopt;
  return value;
}

std::optional<Pbkdf2> parse_pbkdf2(ByteView parameters) {
  DerReader reader(parameters);
  const auto salt = reader.next(der::kOctetString);
  const auto iterations = reader.next(der::kInteger);
  if (!salt || salt->content.size() > kMaxSalt || !iterations) return std::nullopt;
  const auto count = small_number(*iterations, kMaxIterations);
  if (!count) return std::nullopt;
  reader.next(der::kInteger);  // keyLength: the cipher's own decides
  Pbkdf2 kdf{salt->content, *count};
  if (const auto prf = reader.next(der::kSequence)) {
    DerReader identifier(prf->content);
    const auto oid = identifier.next(der::kOid);
    if (!oid) return std::nullopt;
    const std::string name = oid_text(oid->content);
    static constexpr std::array<std::pair<std::string_view, const char*>, 5> kPrfs{
        {{"1.2.840.113549.2.7", "SHA1"},
         {"1.2.840.113549.2.8", "SHA2-224"},
         {"1.2.840.113549.2.9", "SHA2-256"},
         {"1.2.840.113549.2.10", "SHA2-384"},
         {"1.2.840.113549.2.11", "SHA2-512"}}};
    const auto* known = std::ranges::find(kPrfs, name, [](const auto& row) { return row.first; });
    if (known == kPrfs.end()) return std::nullopt;
    kdf.digest = known->second;
  }
  return kdf;
}

Result<SecureBytes> run_pbkdf2(const Pbkdf2& parameters, const SecureBytes& password, std::size_t size) {
  const KdfPtr kdf(EVP_KDF_fetch(libctx(), "PBKDF2", nullptr));
  const KdfCtxPtr context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  if (!context) return broken();
  int pkcs5 = 1;  // without SP 800-132's lower bounds: NSS uses one iteration where there is no password
  std::uint64_t iterations = parameters.iterations;
  const std::array<OSSL_PARAM, 6> params{
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, const_cast<std::uint8_t*>(password.data()),
                                        password.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, const_cast<std::uint8_t*>(parameters.salt.data()),
                                        parameters.salt.size()),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(parameters.digest), 0),
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &pkcs5),
      OSSL_PARAM_construct_end()};
  SecureBytes key(size);
  if (EVP_KDF_derive(context.get(), key.data(), key.size(), params.data()) != 1) return broken();
  return key;
}

Result<SecureBytes> decrypt_pbes2(ByteView parameters, ByteView ciphertext, const SecureBytes& password) {
  DerReader reader(parameters);
  const auto kdf = reader.next(der::kSequence);
  const auto cipher = reader.next(der::kSequence);
  if (!kdf || !cipher) return corrupt();
  DerReader kdf_fields(kdf->content);
  const auto kdf_oid = kdf_fields.next(der::kOid);
  const auto kdf_params = kdf_fields.next(der::kSequence);
  DerReader cipher_fields(cipher->content);
  const auto cipher_oid = cipher_fields.next(der::kOid);
  const auto iv = cipher_fields.next(der::kOctetString);
  if (!kdf_oid || !kdf_params || !cipher_oid || !iv || oid_text(kdf_oid->content) != "1.2.840.113549.1.5.12") {
    return corrupt();
  }
  const auto pbkdf2 = parse_pbkdf2(kdf_params->content);
  if (!pbkdf2) return corrupt();
  const std::string cipher_name = oid_text(cipher_oid->content);
  Cipher aes{};
  if (cipher_name == "2.16.840.1.101.3.4.1.2") {
    aes = {"AES-128-CBC", 16, 16};
  } else if (cipher_name == "2.16.840.1.101.3.4.1.22") {
    aes = {"AES-192-CBC", 24, 16};
  } else if (cipher_name == "2.16.840.1.101.3.4.1.42") {
    aes = {"AES-256-CBC", 32, 16};
  } else {
    return corrupt();
  }
  const auto key = run_pbkdf2(*pbkdf2, password, aes.key_size);
  if (!key) return fail(key);
  // NSS uses the whole encoding of its 14 bytes as the IV.
  return cbc_decrypt(aes, *key, iv->content.size() == 16 ? iv->content : iv->whole, ciphertext);
}

Result<SecureBytes> hmac_sha1(const SecureBytes& key, ByteView a, ByteView b) {
  const MacPtr mac(EVP_MAC_fetch(libctx(), "HMAC", nullptr));
  const std::unique_ptr<EVP_MAC_CTX, OpensslDeleter<EVP_MAC_CTX_free>> context(mac ? EVP_MAC_CTX_new(mac.get())
                                                                                   : nullptr);
  std::string name = "SHA1";
  const std::array<OSSL_PARAM, 2> params{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
                                         OSSL_PARAM_construct_end()};
  SecureBytes out(20);
  std::size_t length = 0;
  if (!context || EVP_MAC_init(context.get(), key.data(), key.size(), params.data()) != 1 ||
      EVP_MAC_update(context.get(), a.data(), a.size()) != 1 ||
      EVP_MAC_update(context.get(), b.data(), b.size()) != 1 ||
      EVP_MAC_final(context.get(), out.data(), &length, out.size()) != 1) {
    return broken();
  }
  return out;
}

Result<SecureBytes> decrypt_triple_des(ByteView parameters, ByteView ciphertext, const SecureBytes& password) {
  DerReader reader(parameters);
  const auto salt = reader.next(der::kOctetString);
  const auto iterations = reader.next(der::kInteger);
  if (!salt || salt->content.size() > kMaxSalt || !iterations || !small_number(*iterations, 1)) return corrupt();
  const ByteView entry = salt->content;
  Bytes padded = to_bytes(entry);
  padded.resize(std::max<std::size_t>(20, padded.size()));
  const auto chp = digest(Digest::kSha1, password, entry);
  if (!chp) return fail(chp);
  const auto k1 = hmac_sha1(*chp, padded, entry);
  const auto tk = hmac_sha1(*chp, padded, {});
  if (!k1 || !tk) return broken();
  const auto k2 = hmac_sha1(*chp, *tk, entry);
  if (!k2) return fail(k2);
  SecureBytes key;
  key.reserve(40);
  key.insert(key.end(), k1->begin(), k1->end());
  key.insert(key.end(), k2->begin(), k2->end());
  return cbc_decrypt({"DES-EDE3-CBC", 24, 8}, ByteView(key).first(24), ByteView(key).last(8), ciphertext);
}

}  // namespace

Result<SecureBytes> hash_nss_password(ByteView global_salt, std::string_view password) {
  const LibcryptoUse use;
  return digest(global_salt.size() == 48 ? Digest::kSha384 : Digest::kSha1, global_salt, as_bytes(password));
}

Result<SecureBytes> decrypt_nss_value(ByteView encrypted, const SecureBytes& password_hash) {
  const LibcryptoUse use;
  const auto sequence = der_single(encrypted, der::kSequence);
  if (!sequence) return corrupt();
  DerReader reader(sequence->content);
  const auto algorithm = reader.next(der::kSequence);
  const auto ciphertext = reader.next(der::kOctetString);
  if (!algorithm || !ciphertext || !reader.empty() || ciphertext->content.size() > 65536) return corrupt();
  DerReader fields(algorithm->content);
  const auto oid = fields.next(der::kOid);
  const auto parameters = fields.next(der::kSequence);
  if (!oid || !parameters) return corrupt();
  const std::string name = oid_text(oid->content);
  if (name == "1.2.840.113549.1.5.13") return decrypt_pbes2(parameters->content, ciphertext->content, password_hash);
  if (name == "1.2.840.113549.1.12.5.1.3") {
    return decrypt_triple_des(parameters->content, ciphertext->content, password_hash);
  }
  return corrupt();
}

}  // namespace devtrust
