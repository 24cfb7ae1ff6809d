#include "backends/file/pem.h"

#include <openssl/decoder.h>
#include <openssl/pem.h>

#include <memory>

#include "backends/file/pbe.h"

namespace devtrust {
namespace {

constexpr std::size_t kMaxBlocks = 4096;

using DecoderCtxPtr = std::unique_ptr<OSSL_DECODER_CTX, OpensslDeleter<OSSL_DECODER_CTX_free>>;
using SigPtr = std::unique_ptr<X509_SIG, OpensslDeleter<X509_SIG_free>>;

struct Decoded {
  std::string headers;
  SecureBytes data;
};

std::optional<Decoded> decode(const PemBlock& block) {
  const BioPtr in(BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long length = 0;
  // "Secure" makes libcrypto wipe its buffers, wherever they are.
  if (in == nullptr ||
      PEM_read_bio_ex(in.get(), &name, &header, &data, &length, PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE) != 1) {
    return std::nullopt;
  }
  Decoded decoded{header, SecureBytes(data, data + length)};
  OPENSSL_secure_free(name);
  OPENSSL_secure_free(header);
  OPENSSL_secure_clear_free(data, static_cast<std::size_t>(length));
  return decoded;
}

/// `type` and `structure` as OSSL_DECODER has them. Not by d2i or PEM_read: where these fail they try again in the
/// host's context.
EvpPkeyPtr decode_key(const SecureBytes& der, const char* type, const char* structure) {
  EVP_PKEY* key = nullptr;
  const DecoderCtxPtr context(libctx() != nullptr ? OSSL_DECODER_CTX_new_for_pkey(&key, "DER", structure, type,
                                                                                  EVP_PKEY_KEYPAIR, libctx(), nullptr)
                                                  : nullptr);
  const unsigned char* cursor = der.data();
  std::size_t left = der.size();
  if (context == nullptr || OSSL_DECODER_from_data(context.get(), &cursor, &left) != 1) return nullptr;
  return EvpPkeyPtr(key);
}

EvpPkeyPtr decode_key(const SecureBytes& der, std::string_view label) {
  if (label == "RSA PRIVATE KEY") return decode_key(der, "RSA", "type-specific");
  if (label == "EC PRIVATE KEY") return decode_key(der, "EC", "type-specific");
  return decode_key(der, nullptr, "PrivateKeyInfo");
}

Result<SecureBytes> decrypt_pkcs8(const SecureBytes& der, std::string_view password) {
  const unsigned char* cursor = der.data();
  const SigPtr info(d2i_X509_SIG(nullptr, &cursor, static_cast<long>(der.size())));
  if (info == nullptr) return fail(ErrorCode::kCorrupt, "it is damaged");
  const X509_ALGOR* algorithm = nullptr;
  const ASN1_OCTET_STRING* ciphertext = nullptr;
  X509_SIG_get0(info.get(), &algorithm, &ciphertext);
  return decrypt_pbe(*algorithm,
                     {ASN1_STRING_get0_data(ciphertext), static_cast<std::size_t>(ASN1_STRING_length(ciphertext))},
                     password);
}

}  // namespace

PemBlocks pem_blocks(ByteView content) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kDashes = "-----";
  const std::string_view text = as_text(content);
  PemBlocks found;
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos; at = text.find(kBegin, at)) {
    const std::size_t label_at = at + kBegin.size();
    const std::size_t label_end = text.find(kDashes, label_at);
    const std::string_view label = text.substr(label_at, label_end - label_at);
    const std::string end_line = "-----END " + std::string(label.substr(0, 64)) + std::string(kDashes);
    const std::size_t end = label_end != std::string_view::npos ? text.find(end_line, label_end) : label_end;
    if (end == std::string_view::npos || found.blocks.size() == kMaxBlocks) {
      found.cut_off = true;
      break;
    }
    found.blocks.push_back({label, content.subspan(at, end + end_line.size() - at)});
    at = end + end_line.size();
  }
  return found;
}

std::optional<Bytes> pem_content(const PemBlock& block) {
  const LibcryptoUse use;
  const auto decoded = decode(block);
  if (!decoded) return std::nullopt;
  return Bytes(decoded->data.begin(), decoded->data.end());
}

Result<EvpPkeyPtr> pem_private_key(const PemBlock& block, std::optional<std::string_view> password) {
  const LibcryptoUse use;
  auto decoded = decode(block);
  if (!decoded) return fail(ErrorCode::kCorrupt, "it is damaged");
  const bool pkcs8 = block.label == "ENCRYPTED PRIVATE KEY";
  const bool encrypted = pkcs8 || decoded->headers.find("ENCRYPTED") != std::string::npos;
  if (encrypted) {
    if (!password) return fail(ErrorCode::kLoginRequired, "it needs its password");
    auto plaintext =
        pkcs8 ? decrypt_pkcs8(decoded->data, *password) : decrypt_dek(decoded->headers, decoded->data, *password);
    if (!plaintext) return fail(plaintext);
    decoded->data = *std::move(plaintext);
  }
  auto key = decode_key(decoded->data, block.label);
  if (key != nullptr) return key;
  // A wrong password makes valid padding once in 256 times.
  if (encrypted) return fail(ErrorCode::kWrongPassword, "the password does not open it");
  return fail(ErrorCode::kCorrupt, "it is damaged, or of a kind that libcrypto does not know");
}

}  // namespace devtrust
