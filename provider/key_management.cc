// Key management: provider-keymgmt(7). What is public is answered by the default provider, on a copy of the public key
// in our own library context; what is private never leaves.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>

#include "provider/key.h"
#include "provider/tables.h"

namespace devtrust::provider {
namespace {

using KeymgmtPtr = std::unique_ptr<EVP_KEYMGMT, OpensslDeleter<EVP_KEYMGMT_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, OpensslDeleter<OSSL_PARAM_free>>;

const Key& key_of(const void* key) { return *static_cast<const Key*>(key); }

bool asks_private(int selection) { return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0; }

/// What of a public key a selection asks for, as EVP_PKEY_fromdata and EVP_PKEY_todata have it.
int public_selection(int selection) {
  return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEY_PARAMETERS;
}

template <KeyKind Kind>
void* new_key(void* context) {
  auto& provider = *static_cast<Provider*>(context);
  return guarded<void*>(provider, nullptr, [&] { return new Key(provider, Kind); });
}

void free_key(void* key) {
  if (key != nullptr) static_cast<Key*>(key)->release();
}

template <KeyKind Kind>
void* load_key(const void* reference, std::size_t size) {
  Key* key = referred_key(reference, size);
  return key != nullptr && key->kind() == Kind ? hold(key).release() : nullptr;
}

bool only_parameters(int selection) { return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0; }

void* duplicate_key(const void* key, int selection) {
  const Key& ours = key_of(key);
  return guarded<void*>(ours.provider(), nullptr, [&]() -> void* {
    if (!only_parameters(selection)) return duplicate(ours).release();
    KeyPtr copy(new Key(ours.provider(), ours.kind()));
    if (ours.evp() == nullptr) return copy.release();
    EvpPkeyPtr evp(EVP_PKEY_new());
    if (evp == nullptr || EVP_PKEY_copy_parameters(evp.get(), ours.evp()) != 1) return nullptr;
    copy->set_evp(std::move(evp));
    return copy.release();
  });
}

int has(const void* key, int selection) {
  if (key == nullptr) return 0;
  const Key& ours = key_of(key);
  if (asks_private(selection) && ours.private_key() == nullptr) return 0;
  if (only_parameters(selection)) return ours.kind() != KeyKind::kEc || ours.evp() != nullptr ? 1 : 0;
  std::size_t length = 0;
  if (ours.evp() == nullptr) return 0;
  // A point may be missing still.
  return ours.kind() != KeyKind::kEc ||
                 EVP_PKEY_get_octet_string_param(ours.evp(), OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0, &length) == 1
             ? 1
             : 0;
}

int match(const void* a, const void* b, int selection) {
  EVP_PKEY* first = key_of(a).evp();
  EVP_PKEY* second = key_of(b).evp();
  if (first == nullptr || second == nullptr) return 0;
  const bool keys = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0;
  const LibcryptoUse use;
  return (keys ? EVP_PKEY_eq(first, second) : EVP_PKEY_parameters_eq(first, second)) == 1 ? 1 : 0;
}

int validate(const void* key, int selection, int /*check_type*/) {
  const Key& ours = key_of(key);
  return guarded(ours.provider(), 0, [&] {
    if (has(key, selection) == 0) return 0;
    const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(libctx(), ours.evp(), nullptr));
    if (context == nullptr || EVP_PKEY_public_check(context.get()) <= 0) return 0;
    // A key is only ever used when it has proved to be its certificate's.
    return asks_private(selection) ? succeeded(ours.provider(), ours.private_key()->prepare()) : 1;
  });
}

int import_key(void* key, int selection, const OSSL_PARAM* params) {
  Key& ours = *static_cast<Key*>(key);
  return guarded(ours.provider(), 0, [&] {
    const bool has_private = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_D) != nullptr ||
                             OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PRIV_KEY) != nullptr;
    if (ours.evp() != nullptr || (asks_private(selection) && has_private)) return 0;
    const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(libctx(), kind_type(ours.kind()), nullptr));
    EVP_PKEY* made = nullptr;
    if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
        EVP_PKEY_fromdata(context.get(), &made, public_selection(selection), const_cast<OSSL_PARAM*>(params)) <= 0) {
      return 0;
    }
    ours.set_evp(EvpPkeyPtr(made));
    return 1;
  });
}

int export_key(void* key, int selection, OSSL_CALLBACK* callback, void* argument) {
  const Key& ours = key_of(key);
  return guarded(ours.provider(), 0, [&] {
    if (ours.evp() == nullptr) return 0;
    // Not the public part alone either: libcrypto 3.0 would take that for the whole and have another provider sign.
    if (asks_private(selection) && ours.private_key() != nullptr) {
      ours.provider().raise({ErrorCode::kUnsupported,
                             "the private key of a device certificate stays where it is: it cannot be exported"});
      return 0;
    }
    OSSL_PARAM* params = nullptr;
    if (EVP_PKEY_todata(ours.evp(), public_selection(selection), &params) <= 0) return 0;
    const ParamsPtr owner(params);
    return callback(params, argument);
  });
}

template <KeyKind Kind>
const OSSL_PARAM* key_types(int selection) {
  const NoCancellation no_cancellation;
  const LibcryptoUse use;
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(libctx(), kind_type(Kind), nullptr));
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) <= 0) return nullptr;
  return EVP_PKEY_fromdata_settable(context.get(), public_selection(selection));  // a constant of that provider's
}

int get_params(void* key, OSSL_PARAM* params) {
  const Key& ours = key_of(key);
  return guarded(ours.provider(), 0,
                 [&] { return ours.evp() != nullptr ? EVP_PKEY_get_params(ours.evp(), params) : 0; });
}

/// In what form it is written; and how libcrypto makes a peer's public key: the curve copied from ours, then the point.
int set_params(void* key, const OSSL_PARAM* params) {
  const Key& ours = key_of(key);
  return guarded(ours.provider(), 0, [&] {
    if (params == nullptr || params->key == nullptr) return 1;
    const bool other_key = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY) != nullptr ||
                           OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY) != nullptr;
    if (ours.identity() != nullptr && other_key) {
      ours.provider().raise({ErrorCode::kUnsupported, "the key of a device certificate cannot be changed"});
      return 0;
    }
    return ours.evp() != nullptr && EVP_PKEY_set_params(ours.evp(), const_cast<OSSL_PARAM*>(params)) == 1 ? 1 : 0;
  });
}

/// The default provider's list, a constant of its own.
template <KeyKind Kind, const OSSL_PARAM* (*List)(const EVP_KEYMGMT*)>
const OSSL_PARAM* list_params(void* context) {
  return guarded<const OSSL_PARAM*>(*static_cast<Provider*>(context), nullptr, [&] {
    const LibcryptoUse use;
    const KeymgmtPtr theirs(EVP_KEYMGMT_fetch(libctx(), kind_type(Kind), nullptr));
    return theirs != nullptr ? List(theirs.get()) : nullptr;
  });
}

/// Whose names are not the key's own: provider-keymgmt(7), "Key Information Functions".
template <KeyKind Kind>
const char* operation_name(int operation) {
  if (Kind == KeyKind::kRsaPss) return "RSA";
  if (Kind != KeyKind::kEc) return nullptr;
  return operation == OSSL_OP_SIGNATURE ? "ECDSA" : operation == OSSL_OP_KEYEXCH ? "ECDH" : nullptr;
}

template <KeyKind Kind>
OSSL_ALGORITHM algorithm() {
  static const std::array<OSSL_DISPATCH, 17> kFunctions{
      entry(OSSL_FUNC_KEYMGMT_NEW, new_key<Kind>),
      entry(OSSL_FUNC_KEYMGMT_FREE, free_key),
      entry(OSSL_FUNC_KEYMGMT_LOAD, load_key<Kind>),
      entry(OSSL_FUNC_KEYMGMT_DUP, duplicate_key),
      entry(OSSL_FUNC_KEYMGMT_HAS, has),
      entry(OSSL_FUNC_KEYMGMT_MATCH, match),
      entry(OSSL_FUNC_KEYMGMT_VALIDATE, validate),
      entry(OSSL_FUNC_KEYMGMT_IMPORT, import_key),
      entry(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types<Kind>),
      entry(OSSL_FUNC_KEYMGMT_EXPORT, export_key),
      entry(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types<Kind>),
      entry(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),
      entry(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, list_params<Kind, EVP_KEYMGMT_gettable_params>),
      entry(OSSL_FUNC_KEYMGMT_SET_PARAMS, set_params),
      entry(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, list_params<Kind, EVP_KEYMGMT_settable_params>),
      entry(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, operation_name<Kind>)};
  return {kind_names(Kind), "provider=devtrust", kFunctions.data(), "the key of a device-trust certificate"};
}

}  // namespace

const OSSL_ALGORITHM* key_management_algorithms() {
  static const std::array<OSSL_ALGORITHM, 6> kAlgorithms{algorithm<KeyKind::kRsa>(), algorithm<KeyKind::kRsaPss>(),
                                                         algorithm<KeyKind::kEc>(), algorithm<KeyKind::kEd25519>(),
                                                         algorithm<KeyKind::kEd448>()};
  return kAlgorithms.data();
}

}  // namespace devtrust::provider
