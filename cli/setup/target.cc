#include "cli/setup/target.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/programs.h"
#include "cli/setup/browsers.h"
#include "cli/setup/curl.h"
#include "cli/setup/git.h"
#include "cli/setup/gpgsm.h"
#include "cli/setup/openssl.h"
#include "cli/setup/p11_kit.h"
#include "cli/setup/ssh.h"

namespace devtrust::cli {
namespace {

struct Target {
  std::string_view name;
  const char* programs;  // separated by spaces: any one's presence says that there is something to set up
  Result<Plan> (*setup)(const SetupOptions&);
  Result<Plan> (*unsetup)(const SetupOptions&);
};

constexpr std::string_view kEveryTarget = "all";

constexpr std::array<Target, 8> kTargets{
    {{"git", "git", plan_git_setup, plan_git_unsetup},
     {"p11-kit", "p11-kit", plan_p11_kit_setup, plan_p11_kit_unsetup},
     {"openssl", "openssl", plan_openssl_setup, plan_openssl_unsetup},
     {"curl", "curl", plan_curl_setup, plan_curl_unsetup},
     {"ssh", "ssh", plan_ssh_setup, plan_ssh_unsetup},
     {"gpgsm", kCardDaemon, plan_gpgsm_setup, plan_gpgsm_unsetup},
     {"firefox", "firefox firefox-esr", plan_firefox_setup, plan_firefox_unsetup},
     {"chromium", "chromium chromium-browser google-chrome microsoft-edge brave-browser", plan_chromium_setup,
      plan_chromium_unsetup}}};

int failure(const std::string& message) {
  complain(message);
  return 1;
}

std::string listed(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += wrapped(printable(line), 0);
  return text;
}

/// All of them or none.
Result<void> apply_all(const std::vector<FileChange>& changes) {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto applied = apply(changes[i]);
    if (applied) continue;
    Error error = applied.error();
    while (i-- > 0) {
      FileChange undo = changes[i];
      std::swap(undo.before, undo.after);
      if (auto undone = apply(undo); !undone) error.message += "; and " + undo.path + " stays changed";
    }
    return tl::unexpected(std::move(error));
  }
  return {};
}

bool changes_anything(const Plan& plan) {
  return std::ranges::any_of(plan.changes, [](const FileChange& change) { return !change.empty(); });
}

/// `of_all`: nobody asked for this target by name, so that one which has no place here is no failure.
int carry_out(const Result<Plan>& plan, const SetupOptions& options, const char* nothing, bool of_all = false) {
  if (!plan) {
    failure(plan.error().message);
    return of_all && plan.error().code == ErrorCode::kUnsupported ? 0 : 1;
  }
  const bool changes = changes_anything(*plan);
  std::string text;
  if (options.dry_run) {
    for (const FileChange& change : plan->changes) text += unified_diff(change);
    if (changes) write_all(STDERR_FILENO, listed(plan->notes));  // what `patch` reads has no place for them
  } else {
    if (auto applied = apply_all(plan->changes); !applied) return failure(applied.error().message);
    if (changes && plan->afterwards) plan->afterwards();
    text = changes ? listed(plan->done) : std::string(nothing) + '\n';
    text += listed(plan->notes);
  }
  return print_answer(text);
}

bool any_installed(std::string_view programs) {
  for (std::size_t end = 0; !programs.empty(); programs.remove_prefix(end)) {
    programs.remove_prefix(std::min(programs.find_first_not_of(' '), programs.size()));
    end = std::min(programs.find(' '), programs.size());
    if (is_installed(std::string(programs.substr(0, end)))) return true;
  }
  return false;
}

const Target* find_target(const std::string& name) {
  const auto* found = std::ranges::find(kTargets, name, &Target::name);
  return found != kTargets.end() ? &*found : nullptr;
}

std::string unknown_target(const std::string& name) {
  std::string known;
  for (const std::string_view target : target_names()) known += (known.empty() ? "" : ", ") + std::string(target);
  return "there is nothing to set up for \"" + name + "\": known are " + known;
}

}  // namespace

std::vector<std::string_view> target_names() {
  std::vector<std::string_view> names;
  names.reserve(kTargets.size());
  for (const Target& target : kTargets) names.push_back(target.name);
  return names;
}

int setup(const std::string& target, const SetupOptions& options) {
  constexpr const char* kAlready = "Already set up: nothing was changed.";
  if (options.auto_select && target != "firefox")
    return failure("--auto-select is for firefox alone: devtrust setup firefox --auto-select");
  if (target == kEveryTarget) {
    int code = 0;
    for (const Target& each : kTargets) {
      if (!any_installed(each.programs)) continue;
      if (!options.dry_run) write_all(STDOUT_FILENO, fmt::format("{}:\n", each.name));
      code = std::max(code, carry_out(each.setup(options), options, kAlready, true));
    }
    return code;
  }
  const Target* found = find_target(target);
  if (found == nullptr) return failure(unknown_target(target));
  return carry_out(found->setup(options), options, kAlready);
}

int unsetup(const std::string& target, const SetupOptions& options) {
  constexpr const char* kNothing = "Nothing of devtrust's was there: nothing was changed.";
  if (target == kEveryTarget) {
    int code = 0;
    bool any = false;
    for (const Target& each : kTargets) {
      const auto plan = each.unsetup(options);
      if (plan && !changes_anything(*plan)) continue;
      any = true;
      code = std::max(code, carry_out(plan, options, kNothing));
    }
    return any || options.dry_run ? code : carry_out(Plan(), options, kNothing);
  }
  const Target* found = find_target(target);
  if (found == nullptr) return failure(unknown_target(target));
  return carry_out(found->unsetup(options), options, kNothing);
}

}  // namespace devtrust::cli
