// Reads our PEM form of a key: provider-decoder(7). In two steps, as OpenSSL does: from PEM to DER, from DER to a key.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <optional>
#include <utility>

#include "identity/key_reference.h"
#include "provider/key.h"
#include "provider/lookup.h"
#include "provider/tables.h"

namespace devtrust::provider {
namespace {

constexpr const char* kStructure = "devtrust-uri";

void* new_decoder(void* context) { return context; }
void free_decoder(void* /*decoder*/) {}

int does_selection(void* /*context*/, int selection) {
  return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? 1 : 0;
}

using EncodePtr = std::unique_ptr<EVP_ENCODE_CTX, OpensslDeleter<EVP_ENCODE_CTX_free>>;

/// Reads one PEM block, whatever it is, and no further: what follows is for the next decoder. Nothing where it is not
/// ours; of a damaged one, no bytes.
std::optional<Bytes> read_pem_block(const Provider& provider, OSSL_CORE_BIO* in) {
  const std::string begin = std::string("-----BEGIN ") + kKeyReferenceLabel + "-----";
  const EncodePtr context(EVP_ENCODE_CTX_new());
  if (context == nullptr) return std::nullopt;
  EVP_DecodeInit(context.get());
  std::optional<Bytes> der;
  bool inside = false;
  bool damaged = false;
  for (std::string line; provider.read_line(in, line);) {
    if (line.starts_with("-----END ")) break;
    if (!inside) {
      inside = line.starts_with("-----BEGIN ");
      if (line.starts_with(begin)) der.emplace();
      continue;
    }
    if (!der || damaged) continue;
    const std::size_t before = der->size();
    der->resize(before + line.size());
    int length = 0;
    const auto* text = reinterpret_cast<const unsigned char*>(line.data());
    damaged = before > kMaxKeyReference ||
              EVP_DecodeUpdate(context.get(), der->data() + before, &length, text, static_cast<int>(line.size())) < 0;
    der->resize(damaged ? 0 : before + static_cast<std::size_t>(length));
  }
  return der;
}

Result<KeyPtr> find_key(Provider& provider, ByteView der, PasswordCallback password) {
  const auto text = parse_key_reference(der);
  if (!text) return fail(text);
  const auto uri = parse_uri(*text);
  if (!uri) return fail(uri);
  const auto snapshot = provider.snapshot();
  if (!snapshot) return fail(snapshot);
  const auto objects = find_objects(**snapshot, *uri);
  if (!objects) return fail(objects);
  const IdentityPtr& identity = objects->front().identity;
  if (auto unlocked = unlock(*identity, *uri, password); !unlocked) return fail(unlocked);
  if (auto prepared = identity->key->prepare(); !prepared) return fail(prepared);
  return make_key(provider, identity);
}

/// What the first step found, while this thread is in the second: nobody is asked for a password twice.
thread_local Key* found = nullptr;

/// From PEM to DER. The key is looked up here; but only the second step may hand it out, since OSSL_STORE's file:
/// loader takes a reference from this one for one of the default provider's.
int decode_pem(void* decoder, OSSL_CORE_BIO* in, int /*selection*/, OSSL_CALLBACK* callback, void* argument,
               OSSL_PASSPHRASE_CALLBACK* ask, void* ask_argument) {
  auto& provider = *static_cast<Provider*>(decoder);
  return guarded(provider, 0, [&] {
    auto der = read_pem_block(provider, in);
    if (!der) return 1;  // other decoders may know it
    const auto key = find_key(provider, *der, {ask, ask_argument});
    int type = OSSL_OBJECT_PKEY;
    const std::array<OSSL_PARAM, 4> params{
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE, const_cast<char*>(kStructure), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der->data(), der->size()),
        OSSL_PARAM_construct_end()};
    Key* const before = std::exchange(found, key ? key->get() : nullptr);
    const int taken = callback(params.data(), argument);
    found = before;
    // After the callback, since file: takes back whatever was on the queue when it found that nobody knew the data.
    return key ? taken : succeeded(provider, key);
  });
}

/// From DER to a key.
template <KeyKind Kind>
int decode(void* decoder, OSSL_CORE_BIO* /*in*/, int /*selection*/, OSSL_CALLBACK* callback, void* argument,
           OSSL_PASSPHRASE_CALLBACK* /*ask*/, void* /*ask_argument*/) {
  return guarded(*static_cast<Provider*>(decoder), 0,
                 [&] { return found != nullptr && found->kind() == Kind ? give_key(*found, callback, argument) : 1; });
}

/// Asked where another provider's key management comes first. It gets nothing, so that libcrypto takes ours.
int export_object(void* /*decoder*/, const void* /*reference*/, std::size_t /*size*/, OSSL_CALLBACK* /*callback*/,
                  void* /*argument*/) {
  return 0;
}

template <KeyKind Kind>
OSSL_ALGORITHM algorithm() {
  static const std::array<OSSL_DISPATCH, 6> kFunctions{
      entry(OSSL_FUNC_DECODER_NEWCTX, new_decoder), entry(OSSL_FUNC_DECODER_FREECTX, free_decoder),
      entry(OSSL_FUNC_DECODER_DOES_SELECTION, does_selection), entry(OSSL_FUNC_DECODER_DECODE, decode<Kind>),
      entry(OSSL_FUNC_DECODER_EXPORT_OBJECT, export_object)};
  return {kind_names(Kind), "provider=devtrust,input=der,structure=devtrust-uri", kFunctions.data(),
          "a reference to a device-trust key"};
}

}  // namespace

const OSSL_ALGORITHM* decoder_algorithms() {
  static const std::array<OSSL_DISPATCH, 5> kPemFunctions{
      entry(OSSL_FUNC_DECODER_NEWCTX, new_decoder), entry(OSSL_FUNC_DECODER_FREECTX, free_decoder),
      entry(OSSL_FUNC_DECODER_DOES_SELECTION, does_selection), entry(OSSL_FUNC_DECODER_DECODE, decode_pem)};
  static const std::array<OSSL_ALGORITHM, 7> kAlgorithms{
      {{"DER", "provider=devtrust,input=pem", kPemFunctions.data(), "a reference to a device-trust key"},
       algorithm<KeyKind::kRsa>(),
       algorithm<KeyKind::kRsaPss>(),
       algorithm<KeyKind::kEc>(),
       algorithm<KeyKind::kEd25519>(),
       algorithm<KeyKind::kEd448>()}};
  return kAlgorithms.data();
}

}  // namespace devtrust::provider
