#include "cli/status.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/metrics.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/validity.h"
#include "identity/certificate_text.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

using Json = nlohmann::ordered_json;

/// "signs, decrypts", or what else the store allows.
std::string uses_text(const PrivateKey& key) {
  std::string text;
  const auto add = [&text](bool may, const char* what) {
    if (may) text += (text.empty() ? "" : ", ") + std::string(what);
  };
  add(key.traits().may_sign, "signs");
  add(key.traits().may_decrypt && key.public_key().type() == KeyType::kRsa, "decrypts");
  add(key.traits().may_derive && key.can_derive(), "derives (ECDH)");
  return text.empty() ? "may do nothing" : text;
}

std::string chain_text(const Chain& chain) {
  std::string text;
  for (const CertificatePtr& issuer : chain.issuers) text += (text.empty() ? "" : ", then ") + name_of(*issuer);
  if (chain.issuers.empty()) return chain.complete ? "issued by itself" : "its issuer is not in the store";
  return "issued by " + text + (chain.complete ? "" : "; the root is not in the store");
}

/// `~` for the home directory.
std::string short_path(const std::string& path) {
  const std::string home = home_directory();
  return !home.empty() && path.starts_with(home + '/') ? "~" + path.substr(home.size()) : path;
}

std::string identity_text(const Identity& identity, const IdentityPtr& current, const Style& style, Time now) {
  const bool is_current = current != nullptr && *current == identity;
  const auto why_not = obstacle(identity, now);
  const std::string title = printable(name_of(*identity.leaf));
  std::string text =
      fmt::format("{} {}\n", is_current ? style.good("*") : " ", is_current ? style.strong(title) : title);
  const auto line = [&text](const std::string& content) { text += wrapped(printable(content), 4); };
  if (!why_not || why_not->code != ErrorCode::kExpired) line(validity_text(*identity.leaf, now));
  if (!is_current) line("not used: " + (why_not ? why_not->message : why_passed_over(identity, current)));
  line(key_text(identity.leaf->public_key()) + "; " + uses_text(*identity.key) +
       (identity.login != nullptr ? "; needs a password" : ""));
  line(chain_text(identity.chain));
  line("in " + short_path(identity.location) + " (" + identity.store_kind + ")");
  return text;
}

std::string list_text(const Device& device, const Style& style, Time now) {
  std::string text;
  for (const Profile& profile : device.snapshot->profiles()) {
    const auto current = device.snapshot->current(profile.name, now);
    text += fmt::format("{}{} (devtrust:{})\n", text.empty() ? "" : "\n", style.strong(printable(profile.label)),
                        profile.name);
    if (!current) text += wrapped(style.bad("nothing to use: ") + printable(current.error().message), 2);
    std::vector<IdentityPtr> others;
    if (current) text += identity_text(**current, *current, style, now);
    for (const IdentityPtr& identity : device.snapshot->identities(profile.name)) {
      if (!current || !(*identity == **current))
        text += identity_text(*identity, current ? *current : nullptr, style, now);
    }
  }
  if (text.empty()) text = wrapped(printable(nothing_found(*device.snapshot, "device-trust certificate").message), 0);
  return text;
}

Json stores_json(const Snapshot& snapshot) {
  Json stores = Json::array();
  for (const StoreReport& report : snapshot.reports()) {
    Json problems = Json::array();
    for (const Error& problem : report.problems) problems.push_back(problem.message);
    stores.push_back(
        {{"kind", report.kind}, {"path", report.location}, {"found", report.found}, {"problems", std::move(problems)}});
  }
  return stores;
}

void add_device(Json& answer, const Device& device, Time now) {
  Json identities = Json::array();
  for (const IdentityPtr& identity : all_identities(*device.snapshot, now))
    identities.push_back(to_json(device, *identity, now));
  Json problems = Json::array();
  for (const Error& problem : device.snapshot->problems()) problems.push_back(problem.message);
  answer["identities"] = std::move(identities);
  answer["stores"] = stores_json(*device.snapshot);
  answer["problems"] = std::move(problems);
}

Json json_of(const Result<Device>& device, const Assessment& assessment, Time now) {
  Json answer = json_header(now);
  answer["state"] = state_name(assessment.state);
  answer["exit_code"] = static_cast<int>(assessment.state);
  answer["profile"] = assessment.profile.empty() ? Json() : Json(assessment.profile);
  answer["message"] = assessment.message;
  if (device) {
    add_device(answer, *device, now);
  } else {
    answer["identities"] = answer["stores"] = answer["problems"] = Json::array();
  }
  return answer;
}

std::string prometheus_text(const Assessment& assessment, const Result<Device>& device, Time now) {
  Metrics metrics(now);
  metrics.add_status({}, assessment.profile, static_cast<int>(assessment.state));
  if (!device) return metrics.text();
  for (const IdentityPtr& identity : all_identities(*device->snapshot, now)) {
    const Certificate& leaf = *identity->leaf;
    const auto current = device->snapshot->current(identity->profile, now);
    const std::string sha256 = to_hex(leaf.sha256());
    metrics.add_certificate({}, {.profile = identity->profile,
                                 .sha256 = sha256,
                                 .store = identity->location,
                                 .current = current && **current == *identity,
                                 .not_before = leaf.not_before(),
                                 .not_after = leaf.not_after(),
                                 .renewal_due = renewal_due(leaf)});
  }
  return metrics.text();
}

}  // namespace

int list(Format format) {
  const auto device = open_device();
  const Time now = current_time();
  if (!device) {
    complain(device.error().message);
    return static_cast<int>(State::kMisconfigured);
  }
  const bool found = !all_identities(*device->snapshot, now).empty();
  const int code = found ? 0 : static_cast<int>(State::kNotFound);
  if (format == Format::kJson) return print_answer(json_text(json_of(device, assess(device, {}, now), now)), code);
  return print_answer(list_text(*device, Style::of(kStandardOutput), now), code);
}

int status(const std::string& profile, Format format) {
  const auto device = open_device();
  const Time now = current_time();
  const Assessment assessment = assess(device, profile, now);
  const int code = static_cast<int>(assessment.state);
  if (format == Format::kPrometheus) return print_answer(prometheus_text(assessment, device, now), code);
  if (format == Format::kText) {
    return print_answer(fmt::format("{}: {}\n", state_name(assessment.state), printable(assessment.message)), code);
  }
  return print_answer(json_text(json_of(device, assessment, now)), code);
}

}  // namespace devtrust::cli
