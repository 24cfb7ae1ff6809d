#include "cli/device.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>

#include "backends/registry.h"
#include "identity/certificate_text.h"
#include "identity/openssl.h"
#include "identity/selection.h"
#include "identity/trace.h"

namespace devtrust::cli {
namespace {

constexpr std::string_view kScheme = "devtrust:";
constexpr std::size_t kMinimumDigits = 8;

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

/// The first of those that `fits` which can be used; else why the first one cannot.
template <typename Fits>
std::optional<Result<Signer>> first_usable(const Snapshot& snapshot, Time now, Fits fits) {
  std::optional<Result<Signer>> first;
  for (const IdentityPtr& identity : all_identities(snapshot, now)) {
    if (!fits(*identity)) continue;
    const auto why_not = obstacle(*identity, now);
    if (!why_not) return Signer{identity, {}};
    if (first) continue;
    Error error = *why_not;
    if (snapshot.current(identity->profile, now)) {
      error.message += "; its successor is there: name it as devtrust:" + identity->profile +
                       ", which stays true when the certificate is renewed";
    }
    first = tl::unexpected(std::move(error));
  }
  return first;
}

Result<Signer> by_profile(const Snapshot& snapshot, const std::string& profile, Time now) {
  auto identity = select_current(snapshot, profile, now);
  if (!identity) return fail(identity);
  return Signer{*std::move(identity), {}};
}

/// The device's own identity, where nobody else's is there and the configuration allows it.
Result<Signer> fallback(const Device& device, const std::string& why, Time now) {
  if (!device.config.sign.fallback) {
    return fail(ErrorCode::kNotFound, why +
                                          ", and sign.fallback = false forbids another one: set user.signingkey to "
                                          "devtrust:PROFILE, or sign.fallback to true");
  }
  auto signer = by_profile(*device.snapshot, {}, now);
  if (!signer) return signer;
  signer->note = why + ": signing with the device's, \"" + name_of(*signer->identity->leaf) +
                 "\" (git config user.signingkey devtrust:" + signer->identity->profile + " says so for good)";
  return signer;
}

Result<Signer> by_email(const Device& device, const std::string& email, Time now) {
  const std::string wanted = lower_case(email);
  const auto found = first_usable(*device.snapshot, now, [&wanted](const Identity& identity) {
    return std::ranges::any_of(identity.leaf->emails(),
                               [&wanted](const std::string& own) { return lower_case(own) == wanted; });
  });
  if (found && (*found || !device.config.sign.fallback)) return *found;
  return fallback(device, "no certificate has the address " + email, now);
}

Result<Signer> by_fingerprint(const Snapshot& snapshot, const std::string& digits, Time now) {
  if (digits.size() < kMinimumDigits) {
    return fail(ErrorCode::kInvalidArgument, "the USER-ID " + digits +
                                                 " is too short for a fingerprint: give at least " +
                                                 std::to_string(kMinimumDigits) + " of its last digits");
  }
  const auto found = first_usable(snapshot, now, [&digits](const Identity& identity) {
    return sha1_fingerprint(*identity.leaf).ends_with(digits);
  });
  if (found) return *found;
  return fail(ErrorCode::kNotFound, "no certificate's SHA-1 fingerprint ends in " + digits +
                                        ": `devtrust list` shows those that are there; devtrust:PROFILE as USER-ID "
                                        "survives renewals, a fingerprint does not");
}

}  // namespace

std::string sha1_fingerprint(const Certificate& certificate) {
  const ByteView der = certificate.der();
  std::array<std::uint8_t, 20> digest{};
  EVP_Digest(der.data(), der.size(), digest.data(), nullptr, fetched_md(Digest::kSha1), nullptr);
  return to_hex(digest);
}

std::vector<IdentityPtr> all_identities(const Snapshot& snapshot, Time now) {
  std::vector<IdentityPtr> list;
  for (const Profile& profile : snapshot.profiles()) {
    const auto& identities = snapshot.identities(profile.name);
    const auto usable = [now](const IdentityPtr& identity) { return !obstacle(*identity, now); };
    std::ranges::copy_if(identities, std::back_inserter(list), usable);
    std::ranges::copy_if(identities, std::back_inserter(list), std::not_fn(usable));
  }
  return list;
}

Result<Device> open_device() {
  auto config = load_config();
  if (!config) return fail(config);
  return open_device(*std::move(config));
}

Result<Device> open_device(Config config) {
  set_trace(config.trace);
  auto sources = open_sources(config);
  if (!sources) return fail(sources);
  auto audit = std::make_shared<const Audit>(config.audit, config.audit_required);
  Catalog catalog(*std::move(sources), config.profiles);
  return Device{std::move(config), catalog.snapshot(), std::move(audit)};
}

Result<Signer> find_signer(const Device& device, const std::string& user_id, Time now) {
  if (user_id.empty()) return fallback(device, "the USER-ID is empty", now);
  if (user_id.starts_with(kScheme)) return by_profile(*device.snapshot, user_id.substr(kScheme.size()), now);
  // git's own default is "Name <address>", where the address may be anything
  const std::size_t open = user_id.rfind('<');
  if (open != std::string::npos && user_id.back() == '>') {
    return by_email(device, user_id.substr(open + 1, user_id.size() - open - 2), now);
  }
  if (user_id.find('@') != std::string::npos) return by_email(device, user_id, now);
  std::string digits = lower_case(user_id);
  if (digits.starts_with("0x")) digits.erase(0, 2);
  if (!digits.empty() && digits.size() <= 40 && digits.find_first_not_of("0123456789abcdef") == std::string::npos) {
    return by_fingerprint(*device.snapshot, digits, now);
  }
  const auto known = known_profiles(*device.snapshot);
  const std::string hint =
      std::ranges::find(known, user_id) != known.end() ? ": did you mean devtrust:" + user_id + "?" : "";
  return fail(ErrorCode::kInvalidArgument,
              "the USER-ID \"" + user_id +
                  "\" is neither devtrust:PROFILE, nor an e-mail address, nor the end of a SHA-1 fingerprint" + hint);
}

}  // namespace devtrust::cli
