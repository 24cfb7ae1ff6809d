#include "cli/setup/browser_policies.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/programs.h"
#include "cli/setup/firefox_places.h"
#include "cli/setup/json_member.h"
#include "cli/setup/nss_modules.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kDevice = "devtrust";
const JsonPath kAutoSelectPath{"policies", "Preferences", "security.default_personal_cert"};
constexpr const char* kAutoSelect = R"({"Value": "Select Automatically", "Status": "default"})";

constexpr const char* kChromiumPolicy = "AutoSelectCertificateForUrls";
constexpr const char* kPolicyFile = "devtrust.json";

/// What the policy says of one site.
struct Choice {
  std::string pattern, issuer;
};

Error in_file(const std::string& path, const Error& error) { return {error.code, path + ": " + error.message}; }

/// What the names lead to; null where it is not there. No copy: making one of a file that is nested deeply enough runs
/// out of stack.
const Json* find(const Json& document, const JsonPath& path) {
  const Json* at = &document;
  for (const std::string& name : path) {
    const auto member = at->find(name);
    if (member == at->end()) return nullptr;  // as of everything that is no object
    at = &*member;
  }
  return at;
}

/// Where the file names security devices: `Add`, or, as older versions had it, the policy itself.
JsonPath devices_path(const Json& document) {
  JsonPath older{"policies", "SecurityDevices"};
  const Json* devices = find(document, older);
  if (devices != nullptr && devices->is_object() && !devices->empty() && !devices->contains("Add") &&
      !devices->contains("Delete")) {
    return older;
  }
  return {"policies", "SecurityDevices", "Add"};
}

struct Devices {
  JsonPath ours;  // where ours is, or would be
  std::vector<NssModule> all;
};

/// No text: there is no file.
Result<Devices> policy_devices(const std::optional<std::string>& text) {
  const Json document = text ? Json::parse(*text, nullptr, false) : Json::object();
  if (document.is_discarded()) return fail(ErrorCode::kCorrupt, "it is not JSON");
  const Json* policies = find(document, {"policies"});
  if (!document.is_object() || (policies != nullptr && !policies->is_object()))
    return fail(ErrorCode::kCorrupt, "it holds no policies as Firefox has them");
  Devices devices{devices_path(document), {}};
  const Json* parent = find(document, {"policies", "SecurityDevices"});
  const Json* named = find(document, devices.ours);
  if ((parent != nullptr && !parent->is_object()) || (named != nullptr && !named->is_object()))
    return fail(ErrorCode::kCorrupt, "its SecurityDevices are none as Firefox has them");
  if (named != nullptr) {
    for (const auto& [name, library] : named->items()) {
      if (library.is_string()) devices.all.push_back({name, library.get<std::string>()});
    }
  }
  devices.ours.emplace_back(kDevice);
  return devices;
}

/// `text` with the module, and with the automatic choice where it is asked for.
Result<std::string> with_policies(const std::optional<std::string>& text, const std::string& module, bool auto_select) {
  const auto devices = policy_devices(text);
  if (!devices) return fail(devices);
  const auto named = std::ranges::find(devices->all, kDevice, &NssModule::name);
  if (named != devices->all.end() && !named->is_devtrust()) {
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("its device \"devtrust\" is another module, {}: rename it first; nothing was changed",
                            named->library));
  }
  Result<std::string> after = text.value_or("");
  JsonPath place = devices->ours;
  const auto other = std::ranges::find_if(devices->all, &NssModule::is_devtrust);
  // Where it is there by another name, Firefox would load it twice.
  if (named == devices->all.end() && other != devices->all.end()) place.back() = other->name;
  if (place == devices->ours || !is_readable(other->library))
    after = with_json_member(text, place, Json(module).dump());
  if (!after || !auto_select) return after;
  const auto chosen = json_member(*after, kAutoSelectPath);
  if (!chosen) return fail(chosen);
  return *chosen ? after : with_json_member(*after, kAutoSelectPath, kAutoSelect);
}

Result<std::optional<std::string>> without_policies(const std::string& text) {
  const auto devices = policy_devices(text);
  if (!devices) return fail(devices);
  std::optional<std::string> after = text;
  const auto chosen = json_member(text, kAutoSelectPath);
  if (!chosen) return fail(chosen);
  if (*chosen == kAutoSelect) {
    auto without = without_json_member(text, kAutoSelectPath);
    if (!without || !*without) return without;
    after = *without;
  }
  const auto named = std::ranges::find(devices->all, kDevice, &NssModule::name);
  if (named == devices->all.end() || !named->is_devtrust()) return after;
  return without_json_member(*after, devices->ours);
}

std::string policy_text(const std::vector<Choice>& choices) {
  Json rules = Json::array();
  for (const Choice& choice : choices)
    rules.push_back(Json{{"pattern", choice.pattern}, {"filter", {{"ISSUER", {{"CN", choice.issuer}}}}}}.dump());
  return Json{{kChromiumPolicy, rules}}.dump(2) + '\n';
}

/// Nothing where the text is not as we write it.
std::optional<std::vector<Choice>> our_choices(const std::string& text) {
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  const Json* rules = find(document, {kChromiumPolicy});
  if (rules == nullptr) return std::nullopt;
  std::vector<Choice> choices;
  for (const Json& rule : *rules) {
    const Json parsed = rule.is_string() ? Json::parse(rule.get<std::string>(), nullptr, false) : Json();
    const Json* pattern = find(parsed, {"pattern"});
    const Json* issuer = find(parsed, {"filter", "ISSUER", "CN"});
    if (pattern == nullptr || !pattern->is_string() || issuer == nullptr || !issuer->is_string()) return std::nullopt;
    choices.push_back({pattern->get<std::string>(), issuer->get<std::string>()});
  }
  return !choices.empty() && policy_text(choices) == text ? std::optional(choices) : std::nullopt;
}

std::string policy_file(const std::string& folder) { return folder + '/' + kPolicyFile; }

/// Another administrator's file that has the same policy: the browser would take only one of the two. Browsers read
/// every file in the folder, whatever its name.
std::string rival(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_of(folder), error)) {
    std::string path = text_of(entry.path());
    if (path == policy_file(folder)) continue;
    const auto text = read_if_there(path);
    if (!text || !*text) continue;
    const Json document = Json::parse(**text, nullptr, false, true);
    // Browsers take commas at the end of lists, too, which our parser does not
    if (document.is_discarded() ? (*text)->find(fmt::format("\"{}\"", kChromiumPolicy)) != std::string::npos
                                : document.is_object() && document.contains(kChromiumPolicy)) {
      return path;
    }
  }
  return {};
}

/// Browsers compare the whole name, so that a pattern will not do.
Result<std::vector<std::string>> issuers_to_choose(const Device& device, const std::string& profile) {
  const auto current = select_current(*device.snapshot, profile, current_time());
  if (current && !(*current)->leaf->issuer_common_name().empty())
    return std::vector{(*current)->leaf->issuer_common_name()};
  const auto known = std::ranges::find(device.config.profiles, profile, &Profile::name);
  if (profile.empty()) {
    return fail(ErrorCode::kNotFound,
                "this user has no current certificate that would tell whose the browsers are to choose: name the "
                "product, such as --profile jumpcloud");
  }
  if (known == device.config.profiles.end()) return fail(current);
  std::vector<std::string> issuers;
  for (const Match& match : known->matches) {
    const std::string& name = match.issuer_cn;
    if (!name.empty() && name.find('*') == std::string::npos && std::ranges::find(issuers, name) == issuers.end())
      issuers.push_back(name);
  }
  if (!issuers.empty()) return issuers;
  return fail(ErrorCode::kInvalidConfig,
              fmt::format("profile {} does not say its issuer's whole name, which browsers need: give it an issuer_cn "
                          "without *",
                          profile));
}

/// The sites of [browser] urls, each once.
std::vector<std::string> sites_of(const Device& device) {
  std::vector<std::string> sites;
  for (const std::string& url : device.config.browser.urls) {
    if (std::ranges::find(sites, url) == sites.end()) sites.push_back(url);
  }
  return sites;
}

std::vector<Choice> choices_for(const std::vector<std::string>& urls, const std::vector<std::string>& issuers) {
  std::vector<Choice> choices;
  choices.reserve(urls.size() * issuers.size());
  for (const std::string& url : urls) {
    for (const std::string& issuer : issuers) choices.push_back({url, issuer});
  }
  return choices;
}

Error changed_by_hand(const std::string& path) {
  return {ErrorCode::kInvalidConfig, path + " is not as `devtrust setup chromium` writes it: delete it first"};
}

}  // namespace

Result<Plan> plan_firefox_policy_setup(const SetupOptions& options) {
  const auto module = module_path();
  if (!module) return fail(module);
  const auto files = firefox_policy_files();
  if (files.empty())
    return fail(ErrorCode::kNotFound, "Firefox is not installed, and its policies lie in its own folder");
  Plan plan;
  for (const std::string& path : files) {
    const auto before = read_if_there(path);
    if (!before) return fail(before);
    const auto after = with_policies(*before, *module, options.auto_select);
    if (!after) return tl::unexpected(in_file(path, after.error()));
    plan.changes.push_back({path, *before, *after, 0644, true});
    if (!plan.changes.back().empty()) plan.done.push_back(path + ": SecurityDevices: devtrust: " + *module);
  }
  plan.notes.emplace_back("Every user's Firefox takes the module when it starts next, and keeps it in its profile.");
  if (options.auto_select) {
    plan.notes.emplace_back(
        "It then shows a certificate, without a question, to EVERY site that asks for one: each of them learns which "
        "device this is.");
  } else {
    plan.notes.emplace_back(
        "It asks which certificate a site is to get. --auto-select has it choose by itself, for every site.");
  }
  return plan;
}

Result<Plan> plan_firefox_policy_unsetup() {
  Plan plan;
  for (const std::string& path : all_firefox_policy_files()) {
    const auto before = read_if_there(path);
    if (!before) return fail(before);
    if (!*before) continue;
    const auto after = without_policies(**before);
    if (!after) return tl::unexpected(in_file(path, after.error()));
    if (*after == *before) continue;
    plan.changes.push_back({path, *before, *after, 0644, true});
    plan.done.push_back(path + (*after ? ": our lines were taken away" : ": deleted, since it was ours alone"));
  }
  if (!plan.changes.empty()) {
    plan.notes.emplace_back(
        "Profiles that Firefox was started with keep the module: `devtrust unsetup firefox`, as each of these users, "
        "takes it out.");
  }
  return plan;
}

Result<Plan> plan_chromium_policy_setup(const SetupOptions& options, const std::vector<std::string>& folders) {
  const auto device = open_device();
  if (!device) return fail(device);
  const auto urls = sites_of(*device);
  if (urls.empty()) {
    return fail(ErrorCode::kUnsupported,
                "no site is named for which the browsers are to choose the certificate: [browser] urls in "
                "/etc/devtrust/config.toml names them");
  }
  const auto issuers = issuers_to_choose(*device, options.profile);
  if (!issuers) return fail(issuers);
  Plan plan;
  for (const std::string& folder : folders) {
    const std::string path = policy_file(folder);
    if (const std::string other = rival(folder); !other.empty()) {
      return fail(ErrorCode::kInvalidConfig,
                  fmt::format("{} has {}, too, and the browser takes only one of two: take it out there, and put its "
                              "sites into [browser] urls; nothing was changed",
                              other, kChromiumPolicy));
    }
    const auto before = read_if_there(path);
    if (!before) return fail(before);
    if (*before && !our_choices(**before)) return tl::unexpected(changed_by_hand(path));
    plan.changes.push_back({path, *before, policy_text(choices_for(urls, *issuers)), 0644, true});
    if (!plan.changes.back().empty())
      plan.done.push_back(
          fmt::format("{}: {}: certificates of \"{}\"", path, kChromiumPolicy, fmt::join(*issuers, "\", \"")));
  }
  if (std::ranges::any_of(urls, [](const std::string& url) { return url == "*" || url.ends_with("://*"); })) {
    plan.notes.emplace_back(
        "[browser] urls names EVERY site: each that asks for a certificate learns which device this is.");
  }
  plan.notes.emplace_back(
      "Browsers that run take notice by themselves; chrome://policy shows it. The module is each user's own: `devtrust "
      "setup chromium`, as that user.");
  return plan;
}

Result<Plan> plan_chromium_policy_unsetup(const std::vector<std::string>& folders) {
  Plan plan;
  for (const std::string& folder : folders) {
    const std::string path = policy_file(folder);
    const auto before = read_if_there(path);
    if (!before) return fail(before);
    if (!*before) continue;
    if (!our_choices(**before)) return tl::unexpected(changed_by_hand(path));
    plan.changes.push_back({path, *before, std::nullopt, 0644, true});
    plan.done.push_back(path + ": deleted, since it was ours alone");
  }
  return plan;
}

Result<std::string> firefox_policy_module() {
  for (const std::string& path : firefox_policy_files()) {
    const auto text = read_if_there(path);
    if (!text) return fail(text);
    const auto devices = policy_devices(*text);
    if (!devices) return tl::unexpected(in_file(path, devices.error()));
    if (const auto ours = std::ranges::find_if(devices->all, &NssModule::is_devtrust); ours != devices->all.end())
      return ours->library;
  }
  return std::string();
}

bool has_chromium_policy(const std::string& folder) { return exists(policy_file(folder)); }

std::string chromium_policy_fault(const Device& device, const std::string& folder) {
  const std::string path = policy_file(folder);
  const auto text = read_if_there(path);
  if (!text) return text.error().message;
  if (!*text) return {};
  const auto choices = our_choices(**text);
  if (!choices) return changed_by_hand(path).message;
  if (const std::string other = rival(folder); !other.empty())
    return fmt::format("{} has {}, too, and the browser takes only one of two", other, kChromiumPolicy);
  std::vector<std::string> sites;
  for (const Choice& choice : *choices) {
    if (sites.empty() || sites.back() != choice.pattern) sites.push_back(choice.pattern);  // one for each issuer
  }
  if (sites != sites_of(device)) return path + " is for other sites than [browser] urls";
  std::string issuer;
  for (const Profile& profile : device.snapshot->profiles()) {
    const auto current = device.snapshot->current(profile.name, current_time());
    if (!current) continue;
    issuer = (*current)->leaf->issuer_common_name();
    if (std::ranges::find(*choices, issuer, &Choice::issuer) != choices->end()) return {};
  }
  if (issuer.empty()) return {};  // said already: there is no certificate
  return fmt::format("{} chooses certificates of \"{}\", and the device's is of \"{}\"", path, choices->front().issuer,
                     issuer);
}

}  // namespace devtrust::cli
