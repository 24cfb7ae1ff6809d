#include "cli/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/validity.h"
#include "identity/certificate_text.h"
#include "identity/der.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

using Json = nlohmann::ordered_json;

State state_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return State::kNotFound;
    case ErrorCode::kExpired:
      return State::kExpired;
    case ErrorCode::kAccessDenied:
    case ErrorCode::kLoginRequired:
    case ErrorCode::kWrongPassword:
    case ErrorCode::kBusy:
    case ErrorCode::kIo:
      return State::kLocked;
    default:
      return State::kMisconfigured;
  }
}

std::string serial_text(const Certificate& certificate) {
  const auto serial = der_single(certificate.serial(), der::kInteger);
  return serial ? to_hex(serial->content) : std::string();
}

Json uses_of(const PrivateKey& key) {
  Json uses = Json::array();
  if (key.traits().may_sign) uses.push_back("sign");
  if (key.traits().may_decrypt && key.public_key().type() == KeyType::kRsa) uses.push_back("decrypt");
  if (key.traits().may_derive && key.can_derive()) uses.push_back("derive");
  return uses;
}

}  // namespace

std::string why_passed_over(const Identity& identity, const IdentityPtr& current) {
  return current != nullptr && current->leaf->sha256() == identity.leaf->sha256()
             ? "the same one is used from another store"
             : "a newer one is there";
}

const char* state_name(State state) {
  switch (state) {
    case State::kUsable:
      return "usable";
    case State::kNotFound:
      return "not-found";
    case State::kExpired:
      return "expired";
    case State::kOverdue:
      return "renewal-overdue";
    case State::kLocked:
      return "locked";
    case State::kNoAnswer:
      return "no-answer";
    case State::kMisconfigured:
      break;
  }
  return "misconfigured";
}

Assessment assess(const Result<Device>& device, const std::string& profile, Time now) {
  if (!device) return {State::kMisconfigured, profile, nullptr, device.error().message};
  const auto current = select_current(*device->snapshot, profile, now);
  if (!current) {
    std::string which = profile;
    for (const IdentityPtr& identity : all_identities(*device->snapshot, now)) {
      if (which.empty()) which = identity->profile;
    }
    return {state_of(current.error().code), which, nullptr, current.error().message};
  }
  const Identity& identity = **current;
  const std::string what = '"' + name_of(*identity.leaf) + '"';
  if (identity.login != nullptr && !identity.login->unlocked()) {
    return {State::kLocked, identity.profile, *current,
            identity.location + " needs its password before " + what +
                " can be used: name a pin_source for this store in the configuration, or give the password to each "
                "program"};
  }
  if (auto ready = identity.key->prepare(); !ready) {
    return {state_of(ready.error().code), identity.profile, *current,
            "the key of " + what + " cannot be used: " + ready.error().message};
  }
  if (device->config.audit_required) {
    if (auto writable = device->audit->probe(); !writable) {
      return {State::kMisconfigured, identity.profile, *current,
              what + " cannot be used, since audit_required is true: " + writable.error().message};
    }
  }
  const std::string validity = validity_text(*identity.leaf, now);
  if (now >= renewal_due(*identity.leaf)) {
    return {State::kOverdue, identity.profile, *current, what + " is " + validity + ": see that the agent runs"};
  }
  return {State::kUsable, identity.profile, *current, what + " is " + validity};
}

std::string key_text(const PublicKey& key) {
  if (key.group() != nullptr) return key.group();
  return key.type() == KeyType::kRsa ? fmt::format("RSA-{}", key.bits()) : std::string(key_type_name(key.type()));
}

Json to_json(const Device& device, const Identity& identity, Time now) {
  const Certificate& leaf = *identity.leaf;
  const auto why_not = obstacle(identity, now);
  const auto current = device.snapshot->current(identity.profile, now);
  const bool is_current = current && **current == identity;
  Json chain = Json::array();
  for (const CertificatePtr& issuer : identity.chain.issuers) {
    chain.push_back({{"subject", issuer->subject_text()},
                     {"sha256", to_hex(issuer->sha256())},
                     {"not_after", iso_text(issuer->not_after())}});
  }
  const Profile* profile = device.snapshot->find_profile(identity.profile);
  return {
      {"profile", identity.profile},
      {"label", profile != nullptr ? profile->label : std::string()},
      {"current", is_current},
      {"problem", why_not      ? Json(why_not->message)
                  : is_current ? Json()
                               : Json(why_passed_over(identity, current ? *current : nullptr))},
      {"subject", leaf.subject_text()},
      {"issuer", leaf.issuer_text()},
      {"serial", serial_text(leaf)},
      {"sha1", sha1_fingerprint(leaf)},
      {"sha256", to_hex(leaf.sha256())},
      {"emails", leaf.emails()},
      {"key", key_text(leaf.public_key())},
      {"uses", uses_of(*identity.key)},
      {"not_before", iso_text(leaf.not_before())},
      {"not_after", iso_text(leaf.not_after())},
      {"renewal_due", iso_text(renewal_due(leaf))},
      {"needs_password", identity.login != nullptr},
      {"store", {{"kind", identity.store_kind}, {"path", identity.location}}},
      {"chain", std::move(chain)},
      {"chain_complete", identity.chain.complete},
  };
}

std::string iso_text(Time time) {
  std::string text = time_text(time);  // "2026-11-24 02:10:00 UTC"
  text[10] = 'T';
  return text.substr(0, 19) + 'Z';
}

Json json_header(Time now) {
  return {{"json_version", kJsonVersion}, {"devtrust", DEVTRUST_VERSION}, {"time", iso_text(now)}};
}

std::string json_text(const Json& object) { return object.dump(2, ' ', false, Json::error_handler_t::replace) + '\n'; }

}  // namespace devtrust::cli
