#include "cli/doctor_browsers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "cli/programs.h"
#include "cli/setup/browser_policies.h"
#include "cli/setup/browsers.h"
#include "cli/setup/nss_modules.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

struct Database {
  std::string folder;
  bool own = false;         // it holds the certificate itself
  bool module = false;      // it names our module
  std::string gone, error;  // the module's file that is not there; why pkcs11.txt cannot be read
};

Database look_at(const std::string& folder, const Snapshot* snapshot) {
  Database found{folder, snapshot != nullptr && holds_identity(*snapshot, folder), false, {}, {}};
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
    if (access(module.library.c_str(), R_OK) != 0) found.gone = module.library;
  }
  return found;
}

/// What is wrong with one database; nothing where nothing is.
std::vector<Line> troubles(const std::string& subject, const Database& database) {
  if (!database.error.empty()) return {{Finding::kProblem, subject, database.error, {}}};
  if (database.own && database.module) {
    return {{Finding::kProblem, subject,
             database.folder + " holds the certificate and names the module too, so that it is shown twice",
             "devtrust unsetup " + subject}};
  }
  if (!database.gone.empty()) {
    return {{Finding::kProblem, subject,
             fmt::format("{} is to load {}, which is not there", database.folder, database.gone),
             "devtrust setup " + subject}};
  }
  return {};
}

constexpr const char* kFirefoxPolicy = "sudo devtrust setup firefox --system";
constexpr const char* kChromiumPolicy = "sudo devtrust setup chromium --system";

/// What is wrong with the policy that an administrator has made. `module`: what it loads; empty where nothing of ours.
std::optional<Line> firefox_policy_trouble(const Result<std::string>& module) {
  if (!module) return Line{Finding::kProblem, "firefox", module.error().message, {}};
  if (module->empty() || access(module->c_str(), R_OK) == 0) return std::nullopt;
  return Line{Finding::kProblem, "firefox", fmt::format("its policies load {}, which is not there", *module),
              kFirefoxPolicy};
}

Line firefox_line(const std::vector<Database>& databases, bool by_policy) {
  const std::string subject = "firefox";
  if (by_policy) return {Finding::kOk, subject, "has the module, by its policies", {}};
  const auto all = static_cast<std::size_t>(
      std::ranges::count_if(databases, [](const Database& database) { return database.own || database.module; }));
  if (all == databases.size())
    return {Finding::kOk, subject, fmt::format("has the certificate in all {} profiles", all), {}};
  return {Finding::kOff, subject, fmt::format("has the certificate in {} of {} profiles", all, databases.size()),
          "devtrust setup firefox"};
}

void examine_firefox(const Snapshot* snapshot, std::vector<Line>& lines) {
  const std::string subject = "firefox";
  std::vector<Database> databases;
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
    if (is_installed("firefox") || is_installed("firefox-esr")) {
      lines.push_back({Finding::kOff, subject, "has no profile of this user's yet",
                       "start it once, close it, then: devtrust setup firefox"});
    } else if (confined_browsers(subject).empty()) {
      lines.push_back({Finding::kOff, subject, "is not installed", {}});
    }
  } else if (well) {
    lines.push_back(firefox_line(databases, !policy->empty()));
  }
}

/// With the profile: root has no certificate of its own that would tell it.
std::string chromium_policy_cure(const Device& device) {
  const auto current = select_current(*device.snapshot, {}, current_time());
  return kChromiumPolicy + (current ? " --profile " + (*current)->profile : std::string());
}

void examine_chromium_policies(const Device& device, std::vector<Line>& lines) {
  const auto folders = chromium_policy_folders();
  for (const std::string& folder : folders) {
    if (std::string fault = chromium_policy_fault(device, folder); !fault.empty())
      lines.push_back({Finding::kProblem, "chromium", std::move(fault), chromium_policy_cure(device)});
  }
  if (!device.config.browser.urls.empty() && std::ranges::none_of(folders, has_chromium_policy)) {
    lines.push_back({Finding::kOff, "chromium", "asks at the sites of [browser] urls, since no policy of ours is there",
                     chromium_policy_cure(device)});
  }
}

void examine_chromium(const Snapshot* snapshot, std::vector<Line>& lines) {
  const std::string subject = "chromium";
  if (chromium_browsers().empty()) {
    if (confined_browsers(subject).empty()) lines.push_back({Finding::kOff, subject, "is not installed", {}});
    return;
  }
  const Database database = look_at(chromium_database(), snapshot);
  const auto wrong = troubles(subject, database);
  if (!wrong.empty()) {
    lines.insert(lines.end(), wrong.begin(), wrong.end());
  } else if (database.own) {
    lines.push_back({Finding::kOk, subject, "reads " + database.folder + ", which holds the certificate", {}});
  } else if (database.module) {
    lines.push_back({Finding::kOk, subject, "has the module, by " + database.folder, {}});
  } else {
    lines.push_back({Finding::kOff, subject, "does not have the module", "devtrust setup chromium"});
  }
}

}  // namespace

std::vector<Line> examine_browsers(const Device* device) {
  const Snapshot* snapshot = device != nullptr ? device->snapshot.get() : nullptr;
  std::vector<Line> lines;
  examine_firefox(snapshot, lines);
  examine_chromium(snapshot, lines);
  if (device != nullptr) examine_chromium_policies(*device, lines);
  for (const char* browser : {"firefox", "chromium"}) {
    for (std::string& sentence : confined_browsers(browser)) {
      sentence.pop_back();  // the full stop
      lines.push_back({Finding::kOff, browser, std::move(sentence), {}});
    }
  }
  return lines;
}

}  // namespace devtrust::cli
