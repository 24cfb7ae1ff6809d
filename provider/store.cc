// The loader of devtrust: and pkcs11: URIs: provider-storemgmt(7).
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/store.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <vector>

#include "identity/der.h"
#include "identity/openssl.h"
#include "provider/digest.h"
#include "provider/key.h"
#include "provider/lookup.h"
#include "provider/tables.h"

namespace devtrust::provider {
namespace {

using NamePtr = std::unique_ptr<X509_NAME, OpensslDeleter<X509_NAME_free>>;

/// As OpenSSL compares names: neither the type of a string nor the case of its letters matters.
bool same_name(ByteView a, ByteView b) {
  if (equal(a, b)) return true;
  const auto parse = [](ByteView der) {
    const unsigned char* at = der.data();
    return NamePtr(d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  };
  const LibcryptoUse use;
  const NamePtr first = parse(a);
  const NamePtr second = parse(b);
  return first != nullptr && second != nullptr && X509_NAME_cmp(first.get(), second.get()) == 0;
}

/// OSSL_STORE_find's criterion: OSSL_STORE_SEARCH(3). What is unset does not matter.
struct Criterion {
  std::optional<Bytes> subject, issuer, fingerprint;
  std::optional<Bytes> serial;  // magnitude, big-endian
  std::optional<std::string> alias;
  MdPtr md;  // of the fingerprint

  bool matches(const Certificate& certificate, const std::string& label) const {
    if (subject && !same_name(*subject, certificate.subject())) return false;
    if (issuer && !same_name(*issuer, certificate.issuer())) return false;
    if (serial) {
      const auto number = der_single(certificate.serial(), der::kInteger);
      const auto magnitude = number ? der_unsigned(*number) : std::nullopt;
      if (!magnitude || !equal(*magnitude, *serial)) return false;
    }
    if (alias && *alias != label) return false;
    if (!fingerprint) return true;
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    const ByteView der = certificate.der();
    return EVP_Digest(der.data(), der.size(), digest.data(), &length, md.get(), nullptr) == 1 &&
           equal(ByteView(digest).first(length), *fingerprint);
  }
};

class Loader {
 public:
  Loader(Provider& provider, Uri uri) : provider_(provider), uri_(std::move(uri)) {}

  Provider& provider() const { return provider_; }

  Result<void> open() {
    const auto snapshot = provider_.snapshot();
    if (!snapshot) return fail(snapshot);
    auto found = find_objects(**snapshot, uri_);
    if (!found) return fail(found);
    objects_ = *std::move(found);
    return {};
  }

  /// An OSSL_STORE_INFO type, or 0 for all.
  void expect(int type) { expected_ = type; }
  void find(Criterion criterion) { criterion_ = std::move(criterion); }

  bool at_end() {
    while (next_ < objects_.size() && !wanted(objects_[next_])) ++next_;
    return next_ >= objects_.size();
  }

  Result<int> load(OSSL_CALLBACK* callback, void* argument, PasswordCallback password) {
    if (at_end()) return 0;
    const Object& object = objects_[next_++];
    if (object.certificate != nullptr) return give(*object.certificate, callback, argument);
    const bool is_private = object.is_private && expected_ != OSSL_STORE_INFO_PUBKEY;
    if (is_private) {  // now, while somebody can be asked
      if (auto unlocked = unlock(*object.identity, uri_, password); !unlocked) return fail(unlocked);
      if (auto prepared = object.identity->key->prepare(); !prepared) return fail(prepared);
    }
    auto key = is_private ? make_key(provider_, object.identity) : make_public_key(provider_, *object.identity);
    if (!key) return fail(key);
    key_ = *std::move(key);
    return give_key(*key_, callback, argument);
  }

 private:
  bool wanted(const Object& object) const {
    const bool certificate = object.certificate != nullptr;
    if (expected_ == OSSL_STORE_INFO_CERT && !certificate) return false;
    if ((expected_ == OSSL_STORE_INFO_PKEY || expected_ == OSSL_STORE_INFO_PUBKEY) && certificate) return false;
    if (expected_ == OSSL_STORE_INFO_NAME || expected_ == OSSL_STORE_INFO_PARAMS || expected_ == OSSL_STORE_INFO_CRL) {
      return false;
    }
    return !criterion_ || criterion_->matches(certificate ? *object.certificate : *object.identity->leaf, object.label);
  }

  static int give(const Certificate& certificate, OSSL_CALLBACK* callback, void* argument) {
    int type = OSSL_OBJECT_CERT;
    const ByteView der = certificate.der();
    const std::array<OSSL_PARAM, 3> params{
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, const_cast<std::uint8_t*>(der.data()), der.size()),
        OSSL_PARAM_construct_end()};
    return callback(params.data(), argument);
  }

  Provider& provider_;
  const Uri uri_;
  std::vector<Object> objects_;
  std::size_t next_ = 0;
  KeyPtr key_;  // until the next one or the end: libcrypto takes a hold of its own
  int expected_ = 0;
  std::optional<Criterion> criterion_;
};

Loader& loader_of(void* loader) { return *static_cast<Loader*>(loader); }

void* open_loader(void* context, const char* uri) {
  auto& provider = *static_cast<Provider*>(context);
  return guarded<void*>(provider, nullptr, [&]() -> void* {
    auto parsed = parse_uri(uri);
    if (succeeded(provider, parsed) == 0) return nullptr;
    auto loader = std::make_unique<Loader>(provider, *std::move(parsed));
    return succeeded(provider, loader->open()) == 1 ? loader.release() : nullptr;
  });
}

const OSSL_PARAM* settable_loader_params(void* /*context*/) {
  static const std::array<OSSL_PARAM, 9> kParams{
      {OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, nullptr), OSSL_PARAM_octet_string(OSSL_STORE_PARAM_SUBJECT, nullptr, 0),
       OSSL_PARAM_octet_string(OSSL_STORE_PARAM_ISSUER, nullptr, 0), OSSL_PARAM_BN(OSSL_STORE_PARAM_SERIAL, nullptr, 0),
       OSSL_PARAM_utf8_string(OSSL_STORE_PARAM_DIGEST, nullptr, 0),
       OSSL_PARAM_octet_string(OSSL_STORE_PARAM_FINGERPRINT, nullptr, 0),
       OSSL_PARAM_utf8_string(OSSL_STORE_PARAM_ALIAS, nullptr, 0), OSSL_PARAM_END}};
  return kParams.data();
}

std::optional<Bytes> octets(const OSSL_PARAM* params, const char* name) {
  const OSSL_PARAM* param = OSSL_PARAM_locate_const(params, name);
  if (param == nullptr || param->data == nullptr) return std::nullopt;
  const auto* data = static_cast<const std::uint8_t*>(param->data);
  return Bytes(data, data + param->data_size);
}

Result<std::optional<Criterion>> read_criterion(const OSSL_PARAM* params) {
  Criterion criterion;
  criterion.subject = octets(params, OSSL_STORE_PARAM_SUBJECT);
  criterion.issuer = octets(params, OSSL_STORE_PARAM_ISSUER);
  criterion.fingerprint = octets(params, OSSL_STORE_PARAM_FINGERPRINT);
  if (const auto alias = octets(params, OSSL_STORE_PARAM_ALIAS)) criterion.alias = std::string(as_text(*alias));
  if (const OSSL_PARAM* serial = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_SERIAL); serial != nullptr) {
    BIGNUM* number = nullptr;
    if (OSSL_PARAM_get_BN(serial, &number) != 1) return fail(ErrorCode::kInvalidArgument, "the serial is no number");
    const BignumPtr owner(number);
    criterion.serial = Bytes(static_cast<std::size_t>(BN_num_bytes(number)));
    BN_bn2bin(number, criterion.serial->data());
  }
  if (criterion.fingerprint) {
    const auto digest = octets(params, OSSL_STORE_PARAM_DIGEST);
    if (digest) criterion.md = find_md(std::string(as_text(*digest)).c_str());
    if (criterion.md == nullptr) {
      return fail(ErrorCode::kUnsupported, "the fingerprint's digest is not known here");
    }
  }
  const bool any =
      criterion.subject || criterion.issuer || criterion.serial || criterion.fingerprint || criterion.alias;
  return any ? std::optional(std::move(criterion)) : std::nullopt;
}

int set_loader_params(void* loader, const OSSL_PARAM* params) {
  Loader& ours = loader_of(loader);
  return guarded(ours.provider(), 0, [&] {
    if (const OSSL_PARAM* expect = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_EXPECT); expect != nullptr) {
      int type = 0;
      if (OSSL_PARAM_get_int(expect, &type) != 1) return 0;
      ours.expect(type);
    }
    auto criterion = read_criterion(params);
    if (!criterion) return succeeded(ours.provider(), criterion);
    if (*criterion) ours.find(*std::move(*criterion));
    return 1;
  });
}

int load(void* loader, OSSL_CALLBACK* callback, void* argument, OSSL_PASSPHRASE_CALLBACK* ask, void* ask_argument) {
  Loader& ours = loader_of(loader);
  return guarded(ours.provider(), 0, [&] {
    const auto given = ours.load(callback, argument, {ask, ask_argument});
    return given ? *given : succeeded(ours.provider(), given);
  });
}

int at_end(void* loader) {
  Loader& ours = loader_of(loader);
  return guarded(ours.provider(), 1, [&] { return ours.at_end() ? 1 : 0; });
}

int close_loader(void* loader) {
  delete static_cast<Loader*>(loader);
  return 1;
}

/// Asked where another provider's key management comes first. It gets nothing, so that libcrypto takes ours.
int export_object(void* /*loader*/, const void* /*reference*/, std::size_t /*size*/, OSSL_CALLBACK* /*callback*/,
                  void* /*argument*/) {
  return 0;
}

constexpr const char* kDescription = "the device-trust certificate, its key and its chain";

}  // namespace

const OSSL_ALGORITHM* store_algorithms(bool pkcs11_uris) {
  static const std::array<OSSL_DISPATCH, 8> kFunctions{
      entry(OSSL_FUNC_STORE_OPEN, open_loader),
      entry(OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS, settable_loader_params),
      entry(OSSL_FUNC_STORE_SET_CTX_PARAMS, set_loader_params),
      entry(OSSL_FUNC_STORE_LOAD, load),
      entry(OSSL_FUNC_STORE_EOF, at_end),
      entry(OSSL_FUNC_STORE_CLOSE, close_loader),
      entry(OSSL_FUNC_STORE_EXPORT_OBJECT, export_object)};
  static const std::array<OSSL_ALGORITHM, 3> kAlgorithms{
      {{"devtrust", "provider=devtrust", kFunctions.data(), kDescription},
       {"pkcs11", "provider=devtrust", kFunctions.data(), kDescription},
       {nullptr, nullptr, nullptr, nullptr}}};
  static const std::array<OSSL_ALGORITHM, 2> kWithoutPkcs11{
      {kAlgorithms.front(), {nullptr, nullptr, nullptr, nullptr}}};
  return pkcs11_uris ? kAlgorithms.data() : kWithoutPkcs11.data();
}

}  // namespace devtrust::provider
