#include "provider/lookup.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>

#include "identity/config.h"
#include "identity/selection.h"
#include "identity/token.h"
#include "identity/trace.h"

namespace devtrust::provider {
namespace {

constexpr std::size_t kMaxPassword = 500;  // NSS takes no more

std::vector<Object> objects_of(const Profile& profile, const IdentityPtr& identity, bool current) {
  const std::string label = identity_label(profile, *identity, current);
  std::vector<Object> objects{{identity, nullptr, true, label}, {identity, identity->leaf, false, label}};
  for (const CertificatePtr& issuer : identity->chain.issuers) {
    objects.push_back({identity, issuer, false, issuer_label(profile, *issuer)});
  }
  return objects;
}

template <typename Wanted, typename Value>
bool fits(const std::optional<Wanted>& wanted, const Value& value) {
  return !wanted || *wanted == value;
}

/// `slot`: as the PKCS#11 module numbers it.
bool is_token(const Uri& uri, const Profile& profile, std::uint64_t slot) {
  return fits(uri.token, profile.label) && fits(uri.manufacturer, kTokenManufacturer) && fits(uri.model, kTokenModel) &&
         fits(uri.serial, token_serial(profile.name)) && fits(uri.slot_id, slot) &&
         fits(uri.slot_manufacturer, kTokenManufacturer) && fits(uri.library_manufacturer, kTokenManufacturer);
}

bool is_type(const std::optional<UriType>& type, const Object& object) {
  if (!type) return true;
  if (object.certificate != nullptr) return *type == UriType::kCertificate;
  return *type == UriType::kPrivateKey || *type == UriType::kPublicKey;
}

bool is_id(const std::optional<Bytes>& id, const Object& object) {
  if (!id) return true;
  const bool issuer = object.certificate != nullptr && object.certificate != object.identity->leaf;
  return equal(*id, issuer ? issuer_id(*object.certificate) : ByteView(object.identity->key->public_key().id()));
}

Result<std::vector<Object>> find_pkcs11(const Snapshot& snapshot, const Uri& uri) {
  std::vector<Object> found;
  std::optional<Error> why_empty;
  std::uint64_t slot = 0;
  for (const Profile& profile : snapshot.profiles()) {
    if (!is_token(uri, profile, ++slot)) continue;
    const auto current = snapshot.current(profile.name, current_time());
    if (!current && !why_empty) why_empty = current.error();
    for (const IdentityPtr& identity : snapshot.shown(profile.name, current_time())) {
      for (Object& object : objects_of(profile, identity, current && *current == identity)) {
        if (!is_type(uri.type, object) || !is_id(uri.id, object) || !fits(uri.object, object.label)) continue;
        if (uri.type == UriType::kPublicKey) object.is_private = false;
        found.push_back(std::move(object));
      }
    }
  }
  if (!found.empty()) return found;
  if (why_empty) return tl::unexpected(*why_empty);
  if (snapshot.profiles().empty()) return tl::unexpected(nothing_found(snapshot, "device-trust certificate"));
  return fail(
      ErrorCode::kNotFound,
      "no token or object has all that the pkcs11: URI asks for: `pkcs11-tool -O` and `p11tool --list-all` show "
      "what there is");
}

Result<SecureBytes> ask_for_password(const Identity& identity, PasswordCallback password) {
  SecureBytes answer(kMaxPassword);
  std::size_t length = 0;
  std::string info = identity.location;
  const std::array<OSSL_PARAM, 2> params{OSSL_PARAM_construct_utf8_string(OSSL_PASSPHRASE_PARAM_INFO, info.data(), 0),
                                         OSSL_PARAM_construct_end()};
  if (password.ask == nullptr || password.ask(reinterpret_cast<char*>(answer.data()), answer.size(), &length,
                                              params.data(), password.argument) != 1) {
    return fail(ErrorCode::kLoginRequired,
                identity.location +
                    " needs its password, and none was given: name a pin-source in the URI, or a pin_source in the "
                    "configuration");
  }
  answer.resize(std::min(length, answer.size()));
  return answer;
}

}  // namespace

Result<std::vector<Object>> find_objects(const Snapshot& snapshot, const Uri& uri) {
  if (trace_enabled()) {
    trace(uri.scheme == UriScheme::kPkcs11 ? "provider: a pkcs11: URI" : "provider: devtrust:" + uri.profile);
  }
  if (uri.scheme == UriScheme::kPkcs11) return find_pkcs11(snapshot, uri);
  const auto identity = select_current(snapshot, uri.profile, current_time());
  if (!identity) return fail(identity);
  return objects_of(*snapshot.find_profile((*identity)->profile), *identity, true);
}

Result<void> unlock(const Identity& identity, const Uri& uri, PasswordCallback password) {
  if (identity.login == nullptr || identity.login->unlocked()) return {};
  const auto pin = [&]() -> Result<SecureBytes> {
    if (uri.pin_value) return *uri.pin_value;
    if (!uri.pin_source) return ask_for_password(identity, password);
    return read_pin_source(uri.pin_source->starts_with("file:") ? *uri.pin_source : "file:" + *uri.pin_source);
  }();
  if (!pin) return fail(pin);
  return identity.login->unlock(as_text(*pin));
}

}  // namespace devtrust::provider
