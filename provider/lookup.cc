#include "provider/lookup.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>

#include "identity/config.h"
#include "identity/token.h"
#include "identity/trace.h"

namespace devtrust::provider {
namespace {

constexpr std::size_t kMaxPassword = 500;  // NSS takes no more

Time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

std::vector<Object> objects_of(const Profile& profile, const IdentityPtr& identity, bool current) {
  const std::string label = identity_label(profile, *identity, current);
  std::vector<Object> objects{{identity, nullptr, true, label}, {identity, identity->leaf, false, label}};
  for (const CertificatePtr& issuer : identity->chain.issuers) {
    objects.push_back({identity, issuer, false, issuer_label(profile, *issuer)});
  }
  return objects;
}

/// Why there is none of `what`: what is wrong with the first store that cannot be read, where there is one.
Error nothing_found(const Snapshot& snapshot, const std::string& what) {
  std::string message = "no " + what + " was found in any of the places that were looked at";
  for (const StoreReport& report : snapshot.reports()) {
    if (!report.problems.empty())
      return {report.problems.front().code, message + ": " + report.problems.front().message};
  }
  return {ErrorCode::kNotFound, message + ": DEVTRUST_TRACE=1 lists them"};
}

Result<IdentityPtr> first_current(const Snapshot& snapshot) {
  std::optional<Error> why;
  for (const Profile& profile : snapshot.profiles()) {
    auto current = snapshot.current(profile.name, now());
    if (current) return current;
    if (!why && !snapshot.identities(profile.name).empty()) why = current.error();
  }
  return tl::unexpected(why ? *why : nothing_found(snapshot, "device-trust certificate"));
}

/// A snapshot has the built-in profiles only of which an identity was found, and all that were configured.
std::vector<std::string> known_profiles(const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const Profile& profile : snapshot.profiles()) names.push_back(profile.name);
  const bool configured = std::ranges::any_of(snapshot.profiles(), [](const Profile& p) { return !p.built_in; });
  for (const Profile& profile : built_in_profiles()) {
    if (!configured && std::ranges::find(names, profile.name) == names.end()) names.push_back(profile.name);
  }
  return names;
}

Result<IdentityPtr> current_of(const Snapshot& snapshot, const std::string& profile) {
  if (!snapshot.identities(profile).empty()) return snapshot.current(profile, now());
  const auto known = known_profiles(snapshot);
  if (std::ranges::find(known, profile) != known.end()) {
    return tl::unexpected(nothing_found(snapshot, "certificate with a private key for profile " + profile));
  }
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  return fail(ErrorCode::kNotFound, "there is no profile " + profile + ": known are " + list);
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
    const auto current = snapshot.current(profile.name, now());
    if (!current && !why_empty) why_empty = current.error();
    for (const IdentityPtr& identity : snapshot.shown(profile.name, now())) {
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
  const auto identity = uri.profile.empty() ? first_current(snapshot) : current_of(snapshot, uri.profile);
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
