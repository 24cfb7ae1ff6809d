// OSSL_provider_init and what it hands out: provider-base(7).
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>

#include "provider/provider.h"
#include "provider/tables.h"

namespace devtrust::provider {
namespace {

void teardown(void* context) { delete static_cast<Provider*>(context); }

const OSSL_PARAM* gettable_params(void* /*context*/) {
  static const std::array<OSSL_PARAM, 5> kParams{{OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, nullptr, 0),
                                                  OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, nullptr, 0),
                                                  OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, nullptr, 0),
                                                  OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, nullptr), OSSL_PARAM_END}};
  return kParams.data();
}

int get_params(void* /*context*/, OSSL_PARAM* params) {
  const auto set_text = [params](const char* name, const char* value) {
    OSSL_PARAM* found = OSSL_PARAM_locate(params, name);
    return found == nullptr || OSSL_PARAM_set_utf8_ptr(found, value) == 1;
  };
  OSSL_PARAM* status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
  return set_text(OSSL_PROV_PARAM_NAME, "devtrust: the device-trust certificate of this system") &&
                 set_text(OSSL_PROV_PARAM_VERSION, DEVTRUST_VERSION) &&
                 set_text(OSSL_PROV_PARAM_BUILDINFO, DEVTRUST_VERSION) &&
                 (status == nullptr || OSSL_PARAM_set_int(status, 1) == 1)
             ? 1
             : 0;
}

const OSSL_ITEM* reason_strings(void* /*context*/) { return reasons(); }

/// Nothing of ours can break in memory that libcrypto could test for: the keys prove themselves when they are used.
int self_test(void* /*context*/) { return 1; }

const OSSL_ALGORITHM* query(void* context, int operation, int* no_cache) {
  *no_cache = 0;
  switch (operation) {
    case OSSL_OP_KEYMGMT:
      return key_management_algorithms();
    case OSSL_OP_SIGNATURE:
      return signature_algorithms();
    case OSSL_OP_ASYM_CIPHER:
      return asymmetric_cipher_algorithms();
    case OSSL_OP_KEYEXCH:
      return key_exchange_algorithms();
    case OSSL_OP_ENCODER:
      return encoder_algorithms();
    case OSSL_OP_DECODER:
      return decoder_algorithms();
    case OSSL_OP_STORE:
      return store_algorithms(static_cast<const Provider*>(context)->pkcs11_uris());
    default:
      return nullptr;
  }
}

}  // namespace
}  // namespace devtrust::provider

extern "C" __attribute__((visibility("default"))) int OSSL_provider_init(const OSSL_CORE_HANDLE* core,
                                                                         const OSSL_DISPATCH* in,
                                                                         const OSSL_DISPATCH** out, void** context) {
  using namespace devtrust::provider;
  static const std::array<OSSL_DISPATCH, 7> kFunctions{entry(OSSL_FUNC_PROVIDER_TEARDOWN, teardown),
                                                       entry(OSSL_FUNC_PROVIDER_SELF_TEST, self_test),
                                                       entry(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable_params),
                                                       entry(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),
                                                       entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
                                                       entry(OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, reason_strings)};
  try {
    *context = new Provider(core, in);
    *out = kFunctions.data();
    return 1;
  } catch (...) {
    return 0;
  }
}
