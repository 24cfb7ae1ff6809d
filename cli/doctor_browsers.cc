#include "cli/doctor_browsers.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/setup/browser_database.h"
#include "cli/setup/browser_policies.h"
#include "cli/setup/confined_browsers.h"
#include "cli/setup/firefox.h"
#include "cli/setup/firefox_places.h"
#include "cli/setup/nss_modules.h"

namespace devtrust::cli {
namespace {

constexpr const char* kFirefoxPolicy = "sudo devtrust setup firefox --system";
/// What is wrong with the policy that an administrator has made. `module`: what it loads; empty where nothing of ours.
std::optional<Line> firefox_policy_trouble(const Result<std::string>& module) {
  if (!module) return Line{Finding::kProblem, "firefox", module.error().message, {}};
  if (module->empty() || is_readable(*module)) return std::nullopt;
  return Line{Finding::kProblem, "firefox", fmt::format("its policies load {}, which is not there", *module),
              kFirefoxPolicy};
}

Line firefox_line(const std::vector<BrowserDatabase>& databases, bool by_policy) {
  const std::string subject = "firefox";
  if (by_policy) return {Finding::kOk, subject, "has the module, by its policies", {}};
  const auto all = static_cast<std::size_t>(std::ranges::count_if(
      databases, [](const BrowserDatabase& database) { return !database.source.empty() || database.module; }));
  if (all == databases.size())
    return {Finding::kOk, subject, fmt::format("has the certificate in all {} profiles", all), {}};
  return {Finding::kOff, subject, fmt::format("has the certificate in {} of {} profiles", all, databases.size()),
          "devtrust setup firefox"};
}

}  // namespace

BrowserDatabase look_at(const std::string& folder, const Snapshot* snapshot) {
  BrowserDatabase found{folder, snapshot != nullptr ? other_source(*snapshot, folder) : std::string(), false, {}, {}};
  const std::string path = folder + "/pkcs11.txt";
  const auto text = read_if_there(path);
  if (!text) {
    found.error = text.error().message;
    return found;
  }
  const auto modules = nss_modules(text->value_or(""));
  if (!modules) {
    found.error = path + ": " + modules.error().message;
    return found;
  }
  for (const NssModule& module : *modules) {
    if (!module.is_devtrust()) continue;
    found.module = true;
    if (!is_readable(module.library)) found.gone = module.library;
  }
  return found;
}

std::vector<Line> troubles(const std::string& subject, const BrowserDatabase& database) {
  if (!database.error.empty()) return {{Finding::kProblem, subject, database.error, {}}};
  if (!database.source.empty() && database.module) {
    return {{Finding::kProblem, subject,
             database.source == database.folder
                 ? database.folder + " holds the certificate and names the module too, so that it is shown twice"
                 : database.source + " holds the certificate and " + database.folder +
                       " names the module too, so that it is shown twice",
             "devtrust unsetup " + subject}};
  }
  if (!database.gone.empty()) {
    return {{Finding::kProblem, subject,
             fmt::format("{} is to load {}, which is not there", database.folder, database.gone),
             "devtrust setup " + subject}};
  }
  return {};
}

void examine_firefox(const Snapshot* snapshot, std::vector<Line>& lines) {
  const std::string subject = "firefox";
  std::vector<BrowserDatabase> databases;
  const auto policy = firefox_policy_module();
  const auto stale = firefox_policy_trouble(policy);
  if (stale) lines.push_back(*stale);
  bool well = !stale;
  for (const std::string& folder : firefox_profile_folders()) {
    databases.push_back(look_at(folder, snapshot));
    for (Line& line : troubles(subject, databases.back())) {
      well = false;
      lines.push_back(std::move(line));
    }
  }
  if (databases.empty()) {
    if (firefox_is_installed()) {
      lines.push_back({Finding::kOff, subject, "has no profile of this user's yet",
                       "start it once, close it, then: devtrust setup firefox"});
    } else if (confined_browsers(subject).empty()) {
      lines.push_back({Finding::kOff, subject, "is not installed", {}});
    }
  } else if (well) {
    lines.push_back(firefox_line(databases, !policy->empty()));
  }
}

void examine_confined(std::vector<Line>& lines) {
  for (const char* browser : {"firefox", "chromium"}) {
    for (std::string& sentence : confined_browsers(browser)) {
      sentence.pop_back();  // the full stop
      lines.push_back({Finding::kOff, browser, std::move(sentence), {}});
    }
  }
}

}  // namespace devtrust::cli
