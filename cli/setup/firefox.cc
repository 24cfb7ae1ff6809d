#include "cli/setup/firefox.h"

#include <algorithm>

#include <fmt/format.h>

#include "backends/registry.h"
#include "cli/programs.h"
#include "cli/setup/browser_database.h"
#include "cli/setup/browser_policies.h"
#include "cli/setup/confined_browsers.h"
#include "cli/setup/firefox_places.h"

namespace devtrust::cli {
namespace {

const MarkedBlock kAutoSelect("firefox");
constexpr const char* kAutoSelectLine = "user_pref(\"security.default_personal_cert\", \"Select Automatically\");\n";

Result<void> add_auto_select(Plan& plan, const std::string& profile) {
  const auto preferences = read_if_there(profile + "/prefs.js");
  const auto own = read_if_there(profile + "/user.js");
  if (!own) return fail(own);
  const auto marked = kAutoSelect.find(own->value_or(""));
  if (!marked) return fail(marked.error().code, profile + "/user.js: " + marked.error().message);
  // Where the user chose the same in Firefox itself, it is not ours to take away.
  if (!*marked && preferences && *preferences && (*preferences)->find(kAutoSelectLine) != std::string::npos) return {};
  if (auto put = plan.put(kAutoSelect, profile + "/user.js", kAutoSelectLine, 0600, false); !put) return put;
  if (!plan.changes.back().empty()) {
    plan.done.push_back(profile + "/user.js: security.default_personal_cert = Select Automatically");
  }
  return {};
}

/// Takes the setting out of user.js, and out of prefs.js, where Firefox copies it.
Result<void> take_auto_select(Plan& plan, const std::string& profile) {
  const std::size_t count = plan.changes.size();
  if (auto taken = plan.take(kAutoSelect, profile + "/user.js"); !taken) return taken;
  if (plan.changes.size() == count) return {};
  const std::string path = profile + "/prefs.js";
  const auto before = read_if_there(path);
  if (!before) return fail(before);
  const std::size_t at = *before ? (*before)->find(kAutoSelectLine) : std::string::npos;
  if (at == std::string::npos) return {};
  std::string after = **before;
  after.erase(at, std::string_view(kAutoSelectLine).size());
  plan.changes.push_back({path, *before, after, 0600, false});
  plan.done.push_back(path + ": our lines were taken away");
  return {};
}

}  // namespace

std::vector<std::string> firefox_profile_folders() {
  std::vector<std::string> folders;
  std::vector<Error> problems;
  for (const std::string& root : firefox_roots()) {
    for (const std::string& folder : devtrust::firefox_profile_folders(root, problems)) {
      if (exists(folder) && std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
    }
  }
  return folders;
}

Result<Plan> plan_firefox_setup(const SetupOptions& options) {
  if (options.system) return plan_firefox_policy_setup(options);
  const auto module = module_path();
  if (!module) return fail(module);
  const auto folders = firefox_profile_folders();
  if (folders.empty()) {
    return tl::unexpected(no_browser(
        "firefox", "Firefox has no profile of this user's yet: start it once, close it, and run this again"));
  }
  const auto device = device_with_identity(options);
  if (!device) return fail(device);
  Plan plan;
  for (const std::string& folder : folders) {
    const std::size_t first = plan.changes.size();
    if (const std::string source = other_source(*device->snapshot, folder); !source.empty()) {
      note_other_source(plan, source, folder, "firefox");
    } else if (auto added = add_module(plan, folder, *module); !added) {
      return fail(added);
    }
    if (options.auto_select) {
      if (auto selected = add_auto_select(plan, folder); !selected) return fail(selected);
    }
    if (!changes_since(plan, first)) continue;
    if (auto closed = check_firefox_closed(folder); !closed) return fail(closed);
  }
  if (options.auto_select) {
    plan.notes.emplace_back(
        "Firefox now shows a certificate, without a question, to EVERY site that asks for one: each of them learns "
        "which device this is.");
  } else {
    plan.notes.emplace_back(
        "Firefox asks which certificate a site is to get. --auto-select has it choose by itself, for every site.");
  }
  note_password(*device, plan);
  for (std::string& sentence : confined_browsers("firefox")) plan.notes.push_back(std::move(sentence));
  return plan;
}

Result<Plan> plan_firefox_unsetup(const SetupOptions& options) {
  if (options.system) return plan_firefox_policy_unsetup();
  Plan plan;
  for (const std::string& folder : firefox_profile_folders()) {
    const std::size_t first = plan.changes.size();
    if (auto taken = take_module(plan, folder); !taken) return fail(taken);
    if (auto taken = take_auto_select(plan, folder); !taken) return fail(taken);
    if (!changes_since(plan, first)) continue;
    if (auto closed = check_firefox_closed(folder); !closed) return fail(closed);
  }
  return plan;
}

}  // namespace devtrust::cli
