#include <fmt/format.h>

#include <algorithm>

#include "cli/doctor_browsers.h"
#include "cli/setup/browser_policies.h"
#include "cli/setup/chromium.h"
#include "cli/setup/confined_browsers.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

constexpr const char* kChromiumPolicy = "sudo devtrust setup chromium --system";

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

void examine_database(const Snapshot* snapshot, std::vector<Line>& lines) {
  const std::string subject = "chromium";
  if (chromium_browsers().empty()) {
    if (confined_browsers(subject).empty()) lines.push_back({Finding::kOff, subject, "is not installed", {}});
    return;
  }
  const BrowserDatabase database = look_at(chromium_database(), snapshot);
  const auto wrong = troubles(subject, database);
  if (!wrong.empty()) {
    lines.insert(lines.end(), wrong.begin(), wrong.end());
  } else if (!database.source.empty()) {
    lines.push_back({Finding::kOk, subject, "reads " + database.folder + ", which holds the certificate", {}});
  } else if (database.module) {
    lines.push_back({Finding::kOk, subject, "has the module, by " + database.folder, {}});
  } else {
    lines.push_back({Finding::kOff, subject, "does not have the module", "devtrust setup chromium"});
  }
}

}  // namespace

void examine_chromium(const Device* device, std::vector<Line>& lines) {
  examine_database(device != nullptr ? device->snapshot.get() : nullptr, lines);
  if (device != nullptr) examine_chromium_policies(*device, lines);
}

}  // namespace devtrust::cli
