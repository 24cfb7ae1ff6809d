// A key file as a program with the provider reads it: PEM text, or our PEM form around any DER.
#include "identity/key_reference.h"

#include <openssl/core.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>

#include <cstdlib>

#include "identity/openssl.h"
#include "tests/fuzz/store_reader.h"
#include "tests/support/pki.h"

namespace devtrust::fuzz {
namespace {

/// A host's library context with the provider, whose store was made by openssl.
OSSL_LIB_CTX* host() {
  static OSSL_LIB_CTX* const context = [] {
    const std::filesystem::path& folder = scratch();
    testing::Pki pki(folder / "pki", "ec:P-256");
    const testing::Leaf leaf = pki.issue({.key = "ec:P-256"});
    std::string pem = testing::read_file(leaf.certificate);
    for (const auto& issuer : leaf.issuers) pem += testing::read_file(issuer);
    overwrite(folder / "chain.pem", as_bytes(pem));
    overwrite(folder / "config.toml",
              as_bytes("[[store]]\nkind = \"file\"\npath = \"" + (folder / "chain.pem").string() + "\"\nkey_path = \"" +
                       leaf.key.string() + "\"\n"));
    setenv("DEVTRUST_CONFIG", (folder / "config.toml").c_str(), 1);
    OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
    if (made == nullptr || OSSL_PROVIDER_add_builtin(made, "devtrust", OSSL_provider_init) != 1 ||
        OSSL_PROVIDER_load(made, "default") == nullptr || OSSL_PROVIDER_load(made, "devtrust") == nullptr) {
      std::abort();
    }
    return made;
  }();
  return context;
}

std::string pem_form(ByteView der) {
  Bytes base64((der.size() + 2) / 3 * 4 + 1);
  const int length = EVP_EncodeBlock(base64.data(), der.data(), static_cast<int>(der.size()));
  const std::string label = std::string(kKeyReferenceLabel) + "-----\n";
  std::string text = "-----BEGIN " + label;
  for (int at = 0; at < length; at += 64) {
    text.append(
        as_text(base64).substr(static_cast<std::size_t>(at), static_cast<std::size_t>(std::min(64, length - at))));
    text += '\n';
  }
  return text + "-----END " + label;
}

}  // namespace
}  // namespace devtrust::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace devtrust;
  OSSL_LIB_CTX* context = fuzz::host();
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  const std::string text = data[0] == 0 ? std::string(as_text(input)) : fuzz::pem_form(input);
  const BioPtr file(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const EvpPkeyPtr key(PEM_read_bio_PrivateKey_ex(
      file.get(), nullptr, [](char* /*out*/, int /*size*/, int /*writing*/, void* /*argument*/) { return -1; }, nullptr,
      context, nullptr));
  if (key == nullptr && ERR_peek_error() == 0) std::abort();
  if (data[0] != 0 && key != nullptr && !parse_key_reference(input)) std::abort();
  ERR_clear_error();
  return 0;
}
