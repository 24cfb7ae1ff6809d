#include "backends/file/pbe.h"

#include <openssl/evp.h>

#include <memory>

#include "identity/der.h"
#include "identity/openssl.h"

namespace devtrust {
namespace {

constexpr int kMaxDepth = 8;

using CipherPtr = std::unique_ptr<EVP_CIPHER, OpensslDeleter<EVP_CIPHER_free>>;
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, OpensslDeleter<EVP_CIPHER_CTX_free>>;
using FreeString = OpensslDeleter<[](unsigned char* p) { OPENSSL_free(p); }>;

/// No INTEGER among the parameters is larger than kMaxIterations.
bool affordable(ByteView der, int depth) {
  DerReader reader(der);
  while (!reader.empty()) {
    const auto element = reader.next();
    if (!element || depth > kMaxDepth) return false;
    if (element->tag == der::kSequence && !affordable(element->content, depth + 1)) return false;
    if (element->tag != der::kInteger) continue;
    const auto magnitude = der_unsigned(*element);
    if (!magnitude || magnitude->size() > sizeof(std::uint32_t)) return false;
    std::uint64_t value = 0;
    for (const std::uint8_t octet : *magnitude) value = value << 8U | octet;
    if (value > static_cast<std::uint64_t>(kMaxIterations)) return false;
  }
  return true;
}

bool affordable(const X509_ALGOR& algorithm) {
  unsigned char* encoded = nullptr;
  const int length = i2d_X509_ALGOR(&algorithm, &encoded);
  const std::unique_ptr<unsigned char, FreeString> owner(encoded);
  return length > 0 && affordable({encoded, static_cast<std::size_t>(length)}, 0);
}

Result<SecureBytes> finish(EVP_CIPHER_CTX* context, ByteView ciphertext) {
  SecureBytes plaintext(ciphertext.size() + EVP_MAX_BLOCK_LENGTH);
  int begun = 0;
  int ended = 0;
  if (EVP_DecryptUpdate(context, plaintext.data(), &begun, ciphertext.data(), static_cast<int>(ciphertext.size())) !=
          1 ||
      EVP_DecryptFinal_ex(context, plaintext.data() + begun, &ended) != 1) {
    return fail(ErrorCode::kWrongPassword, "the password does not open it");
  }
  plaintext.resize(static_cast<std::size_t>(begun) + static_cast<std::size_t>(ended));
  return plaintext;
}

std::optional<Bytes> from_hex(std::string_view digits) {
  long length = 0;
  const std::unique_ptr<unsigned char, FreeString> bytes(OPENSSL_hexstr2buf(std::string(digits).c_str(), &length));
  if (bytes == nullptr) return std::nullopt;
  return Bytes(bytes.get(), bytes.get() + length);
}

}  // namespace

Result<SecureBytes> decrypt_pbe(const X509_ALGOR& algorithm, ByteView ciphertext,
                                std::optional<std::string_view> password) {
  const LibcryptoUse use;
  const CipherCtxPtr context(EVP_CIPHER_CTX_new());
  if (libctx() == nullptr || context == nullptr) return fail(ErrorCode::kInternal, "there is no memory to decrypt it");
  if (!affordable(algorithm)) {
    return fail(ErrorCode::kUnsupported,
                "its encryption asks for more than " + std::to_string(kMaxIterations) + " iterations, or is damaged");
  }
  const std::string_view text = password.value_or(std::string_view());
  if (EVP_PBE_CipherInit_ex(algorithm.algorithm, password ? (text.empty() ? "" : text.data()) : nullptr,
                            static_cast<int>(text.size()), algorithm.parameter, context.get(), 0, libctx(),
                            nullptr) != 1) {
    return fail(ErrorCode::kUnsupported, "its encryption is not one of libcrypto's default provider (" +
                                             openssl_reason() + "): encrypt it anew, with AES");
  }
  return finish(context.get(), ciphertext);
}

Result<SecureBytes> decrypt_dek(std::string_view headers, ByteView ciphertext, std::string_view password) {
  constexpr std::string_view kField = "DEK-Info: ";
  const LibcryptoUse use;
  const std::size_t at = headers.find(kField);
  const std::string_view field = at != std::string_view::npos
                                     ? headers.substr(at + kField.size(), headers.find('\n', at) - at - kField.size())
                                     : "";
  const std::size_t comma = field.find(',');
  const auto iv = comma != std::string_view::npos ? from_hex(field.substr(comma + 1)) : std::nullopt;
  if (!iv) return fail(ErrorCode::kCorrupt, "its DEK-Info header is damaged");

  const std::string name(field.substr(0, comma));
  const CipherPtr cipher(libctx() != nullptr ? EVP_CIPHER_fetch(libctx(), name.c_str(), nullptr) : nullptr);
  const EvpMdPtr md5(libctx() != nullptr ? EVP_MD_fetch(libctx(), "MD5", nullptr) : nullptr);
  const CipherCtxPtr context(EVP_CIPHER_CTX_new());
  if (cipher == nullptr || md5 == nullptr || context == nullptr ||
      EVP_CIPHER_get_mode(cipher.get()) != EVP_CIPH_CBC_MODE) {
    return fail(ErrorCode::kUnsupported,
                "its cipher is not one of libcrypto's default provider: write it anew with openssl pkcs8 -topk8");
  }
  if (iv->size() != static_cast<std::size_t>(EVP_CIPHER_get_iv_length(cipher.get()))) {
    return fail(ErrorCode::kCorrupt, "its DEK-Info header is damaged");
  }
  SecureBytes key(EVP_MAX_KEY_LENGTH);
  if (EVP_BytesToKey(cipher.get(), md5.get(), iv->data(), as_bytes(password).data(), static_cast<int>(password.size()),
                     1, key.data(), nullptr) <= 0 ||
      EVP_DecryptInit_ex2(context.get(), cipher.get(), key.data(), iv->data(), nullptr) != 1) {
    return fail(ErrorCode::kInternal, "it cannot be decrypted: " + openssl_reason());
  }
  return finish(context.get(), ciphertext);
}

}  // namespace devtrust
