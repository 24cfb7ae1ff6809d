#include "cli/setup/browser_database.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/setup/confined_browsers.h"
#include "cli/setup/nss_modules.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

bool names_module(const std::string& database) {
  const auto text = read_if_there(database + "/pkcs11.txt");
  if (!text || !*text) return false;
  const auto modules = nss_modules(**text);
  return modules && std::ranges::any_of(*modules, &NssModule::is_devtrust);
}

}  // namespace

Error running(const std::string& who, const std::string& process) {
  return {ErrorCode::kBusy,
          fmt::format("{} is running (process {}): close it first; nothing was changed", who, process)};
}

Error no_browser(const std::string& target, const std::string& otherwise) {
  std::string message;
  for (const std::string& sentence : confined_browsers(target)) message += (message.empty() ? "" : " ") + sentence;
  return {ErrorCode::kUnsupported, message.empty() ? otherwise : message};
}

Result<Device> device_with_identity(const SetupOptions& options) {
  auto device = open_device();
  if (!device) return device;
  const Snapshot& snapshot = *device->snapshot;
  if (!options.profile.empty() && snapshot.find_profile(options.profile) == nullptr)
    return fail(snapshot.current(options.profile, current_time()));
  const bool any = std::ranges::any_of(
      snapshot.profiles(), [&snapshot](const Profile& profile) { return !snapshot.identities(profile.name).empty(); });
  if (!any) {
    return fail(ErrorCode::kNotFound,
                "no store holds a device-trust certificate yet, so that it cannot be told which browsers read it "
                "without us: run this again when `devtrust list` shows it");
  }
  return device;
}

void note_password(const Device& device, Plan& plan) {
  for (const Profile& profile : device.snapshot->profiles()) {
    for (const IdentityPtr& identity : device.snapshot->identities(profile.name)) {
      if (identity->login == nullptr || identity->login->unlocked()) continue;
      plan.notes.push_back(identity->location +
                           " needs a password, for which browsers ask; a headless Chromium waits for it for ever. A "
                           "pin_source for this store in the configuration gives it.");
      return;
    }
  }
}

Result<void> add_module(Plan& plan, const std::string& database, const std::string& module) {
  const std::string path = database + "/pkcs11.txt";
  const auto before = read_if_there(path);
  if (!before) return fail(before);
  const auto after = with_nss_module(*before, module);
  if (!after) return fail(after.error().code, path + ": " + after.error().message);
  plan.changes.push_back({path, *before, *after, 0600, false});
  if (!plan.changes.back().empty()) plan.done.push_back(path + ": library = " + module);
  return {};
}

Result<void> take_module(Plan& plan, const std::string& database) {
  const std::string path = database + "/pkcs11.txt";
  const auto before = read_if_there(path);
  if (!before) return fail(before);
  if (!*before) return {};
  const auto after = without_nss_module(**before);
  if (!after) return fail(after.error().code, path + ": " + after.error().message);
  if (*after == *before) return {};
  plan.changes.push_back({path, *before, *after, 0600, false});
  plan.done.push_back(path + (*after ? ": our lines were taken away" : ": deleted, since it was ours alone"));
  return {};
}

void note_other_source(Plan& plan, const std::string& source, const std::string& database, const std::string& target) {
  plan.notes.push_back(source + " holds the certificate itself, so the browser shows it without our module.");
  if (names_module(database)) {
    plan.notes.push_back(
        fmt::format("{} names our module as well, so the certificate is shown twice: `devtrust unsetup {}` takes the "
                    "module out.",
                    source == database ? "It" : database, target));
  }
}

bool changes_since(const Plan& plan, std::size_t first) {
  return std::any_of(plan.changes.begin() + static_cast<std::ptrdiff_t>(first), plan.changes.end(),
                     [](const FileChange& change) { return !change.empty(); });
}

std::string other_source(const Snapshot& snapshot, const std::string& database) {
  for (const Profile& profile : snapshot.profiles()) {
    const auto& identities = snapshot.identities(profile.name);
    const auto current = snapshot.current(profile.name, current_time());
    const IdentityPtr shown = current ? *current : identities.empty() ? nullptr : identities.front();
    if (shown == nullptr) continue;
    if (std::string source = where_browsers_read(*shown, database); !source.empty()) return source;
  }
  return {};
}

}  // namespace devtrust::cli
