#include "cli/setup/target.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/setup/targets.h"

namespace devtrust::cli {
namespace {

constexpr std::string_view kEveryTarget = "all";

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
    if (changes) write_all(kStandardError, listed(plan->notes));  // what `patch` reads has no place for them
  } else {
    if (auto applied = apply_all(plan->changes); !applied) return failure(applied.error().message);
    if (changes && plan->afterwards) plan->afterwards();
    text = changes ? listed(plan->done) : std::string(nothing) + '\n';
    text += listed(plan->notes);
  }
  return print_answer(text);
}

const Target* find_target(const std::string& name) {
  const auto all = targets();
  const auto found = std::ranges::find(all, name, &Target::name);
  return found != all.end() ? &*found : nullptr;
}

std::string unknown_target(const std::string& name) {
  std::string known;
  for (const std::string_view target : target_names()) known += (known.empty() ? "" : ", ") + std::string(target);
  return "there is nothing to set up for \"" + name + "\": known are " + known;
}

}  // namespace

std::vector<std::string_view> target_names() {
  std::vector<std::string_view> names;
  names.reserve(targets().size());
  for (const Target& target : targets()) names.push_back(target.name);
  return names;
}

int setup(const std::string& target, const SetupOptions& options) {
  constexpr const char* kAlready = "Already set up: nothing was changed.";
  if (options.auto_select && target != "firefox")
    return failure("--auto-select is for firefox alone: devtrust setup firefox --auto-select");
  if (target == kEveryTarget) {
    int code = 0;
    for (const Target& each : targets()) {
      if (!each.is_installed()) continue;
      if (!options.dry_run) write_all(kStandardOutput, fmt::format("{}:\n", each.name));
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
    for (const Target& each : targets()) {
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
