#include "identity/selection.h"

#include <algorithm>
#include <optional>

namespace devtrust {
namespace {

Result<IdentityPtr> first_current(const Snapshot& snapshot, Time now) {
  std::optional<Error> why;
  for (const Profile& profile : snapshot.profiles()) {
    auto current = snapshot.current(profile.name, now);
    if (current) return current;
    if (!why && !snapshot.identities(profile.name).empty()) why = current.error();
  }
  return tl::unexpected(why ? *why : nothing_found(snapshot, "device-trust certificate"));
}

}  // namespace

Time current_time() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

Error nothing_found(const Snapshot& snapshot, const std::string& what) {
  std::string message = "no " + what + " was found in any of the places that were looked at";
  for (const StoreReport& report : snapshot.reports()) {
    if (!report.problems.empty())
      return {report.problems.front().code, message + ": " + report.problems.front().message};
  }
  return {ErrorCode::kNotFound, message + ": `devtrust doctor` lists them"};
}

// A snapshot has the built-in profiles only of which an identity was found, and all that were configured.
std::vector<std::string> known_profiles(const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const Profile& profile : snapshot.profiles()) names.push_back(profile.name);
  const bool configured = std::ranges::any_of(snapshot.profiles(), [](const Profile& p) { return !p.built_in; });
  for (const Profile& profile : built_in_profiles()) {
    if (!configured && std::ranges::find(names, profile.name) == names.end()) names.push_back(profile.name);
  }
  return names;
}

Result<IdentityPtr> select_current(const Snapshot& snapshot, const std::string& profile, Time now) {
  if (profile.empty()) return first_current(snapshot, now);
  if (!snapshot.identities(profile).empty()) return snapshot.current(profile, now);
  const auto known = known_profiles(snapshot);
  if (std::ranges::find(known, profile) != known.end()) {
    return tl::unexpected(nothing_found(snapshot, "certificate with a private key for profile " + profile));
  }
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  return fail(ErrorCode::kNotFound, "there is no profile " + profile + ": known are " + list);
}

}  // namespace devtrust
