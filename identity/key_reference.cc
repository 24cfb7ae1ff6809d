#include "identity/key_reference.h"

#include <openssl/evp.h>

#include "identity/der.h"

namespace devtrust {
namespace {

constexpr std::string_view kVersion = "1";
constexpr std::size_t kLine = 64;

struct Reference {
  ByteView version, uri;
};

std::optional<Reference> outline(ByteView der) {
  const auto sequence = der_single(der, der::kSequence);
  if (!sequence) return std::nullopt;
  DerReader reader(sequence->content);
  const auto version = reader.next(der::kVisibleString);
  const auto uri = version ? reader.next(der::kUtf8String) : std::nullopt;
  if (!uri) return std::nullopt;
  return Reference{version->content, uri->content};
}

}  // namespace

std::string encode_key_reference(std::string_view uri) {
  Bytes content = der_encode(der::kVisibleString, as_bytes(kVersion));
  const Bytes second = der_encode(der::kUtf8String, as_bytes(uri));
  content.insert(content.end(), second.begin(), second.end());
  const Bytes der = der_encode(der::kSequence, content);

  Bytes base64((der.size() + 2) / 3 * 4 + 1);
  const int length = EVP_EncodeBlock(base64.data(), der.data(), static_cast<int>(der.size()));
  const std::string_view text = as_text(ByteView(base64).first(static_cast<std::size_t>(length)));
  std::string pem = std::string("-----BEGIN ") + kKeyReferenceLabel + "-----\n";
  for (std::size_t at = 0; at < text.size(); at += kLine) pem.append(text.substr(at, kLine)).append("\n");
  return pem + "-----END " + kKeyReferenceLabel + "-----\n";
}

Result<std::string> parse_key_reference(ByteView der) {
  const auto reference = outline(der);
  if (!reference)
    return fail(ErrorCode::kCorrupt,
                "the file's DEVTRUST KEY is damaged: write it anew with openssl pkey -in devtrust: -out FILE");
  if (as_text(reference->version) != kVersion) {
    return fail(ErrorCode::kUnsupported,
                "the reference to a key was written by a newer devtrust: install that here, too");
  }
  return std::string(as_text(reference->uri));
}

}  // namespace devtrust
