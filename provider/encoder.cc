// Our PEM form of a key, written where OpenSSL would write a private key: provider-encoder(7). Public keys are written
// by OpenSSL's own encoders, which take them from our key management.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>

#include <array>

#include "identity/key_reference.h"
#include "provider/key.h"
#include "provider/tables.h"

namespace devtrust::provider {
namespace {

void* new_encoder(void* context) { return context; }
void free_encoder(void* /*encoder*/) {}

int does_selection(void* /*encoder*/, int selection) {
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? 1 : 0;
}

int encode(void* encoder, OSSL_CORE_BIO* out, const void* object, const OSSL_PARAM* /*abstract*/, int selection,
           OSSL_PASSPHRASE_CALLBACK* /*ask*/, void* /*argument*/) {
  const Provider& provider = *static_cast<Provider*>(encoder);
  return guarded(provider, 0, [&] {
    const auto* key = static_cast<const Key*>(object);
    if (key == nullptr || key->identity() == nullptr || does_selection(encoder, selection) == 0) return 0;
    return provider.write(out, encode_key_reference("devtrust:" + key->identity()->profile)) ? 1 : 0;
  });
}

std::array<OSSL_DISPATCH, 5> functions() {
  return {entry(OSSL_FUNC_ENCODER_NEWCTX, new_encoder), entry(OSSL_FUNC_ENCODER_FREECTX, free_encoder),
          entry(OSSL_FUNC_ENCODER_DOES_SELECTION, does_selection), entry(OSSL_FUNC_ENCODER_ENCODE, encode)};
}

constexpr std::array<const char*, 2> kStructures{"provider=devtrust,output=pem,structure=PrivateKeyInfo",
                                                 "provider=devtrust,output=pem,structure=type-specific"};

}  // namespace

const OSSL_ALGORITHM* encoder_algorithms() {
  static const std::array<OSSL_DISPATCH, 5> kFunctions = functions();
  static const auto kAlgorithms = [] {
    std::array<OSSL_ALGORITHM, kKeyKinds.size() * kStructures.size() + 1> all{};
    std::size_t next = 0;
    for (const KeyKind kind : kKeyKinds) {
      for (const char* structure : kStructures) {
        all.at(next++) = {kind_names(kind), structure, kFunctions.data(), "a reference to a device-trust key"};
      }
    }
    return all;
  }();
  return kAlgorithms.data();
}

}  // namespace devtrust::provider
