#include "cli/setup/chromium.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>

#include <fmt/format.h>

#include "cli/programs.h"
#include "cli/setup/browser_database.h"
#include "cli/setup/browser_policies.h"
#include "cli/setup/confined_browsers.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

struct ChromiumBrowser {
  const char* name;
  const char* folder;  // below ~/.config
  std::array<const char*, 2> programs;
  const char* policies;  // where an administrator's files are
};

constexpr std::array<ChromiumBrowser, 4> kChromiumBrowsers{
    {{"Chromium", "chromium", {"chromium", "chromium-browser"}, "/etc/chromium/policies/managed"},
     {"Google Chrome", "google-chrome", {"google-chrome", "google-chrome-stable"}, "/etc/opt/chrome/policies/managed"},
     {"Microsoft Edge",
      "microsoft-edge",
      {"microsoft-edge", "microsoft-edge-stable"},
      "/etc/opt/edge/policies/managed"},
     {"Brave",
      "BraveSoftware/Brave-Browser",
      {"brave-browser", "brave-browser-stable"},
      "/etc/brave/policies/managed"}}};

bool is_here(const ChromiumBrowser& browser) {
  return exists(config_home() + '/' + browser.folder) || std::ranges::any_of(browser.programs, is_installed);
}

/// Chromium keeps a link to HOST-PROCESS, which stays behind where it crashes.
Result<void> check_chromium_closed() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  for (const ChromiumBrowser& browser : kChromiumBrowsers) {
    const std::string link = fmt::format("{}/{}/SingletonLock", config_home(), browser.folder);
    std::error_code error;
    const std::string owner = fs::read_symlink(link, error).string();
    const std::size_t dash = owner.rfind('-');
    if (error || dash == std::string::npos) continue;
    const std::string process = owner.substr(dash + 1);
    if (owner.substr(0, dash) != host.data()) {
      return fail(
          ErrorCode::kBusy,
          fmt::format("{} is running on the machine {}, as {} says: close it there, or delete that link where it "
                      "is not so; nothing was changed",
                      browser.name, owner.substr(0, dash), link));
    }
    pid_t number = 0;
    std::from_chars(process.data(), process.data() + process.size(), number);
    if (number > 0 && (kill(number, 0) == 0 || errno == EPERM)) return tl::unexpected(running(browser.name, process));
  }
  return {};
}

}  // namespace

std::string chromium_database() {
  // Where neither is there, every version takes ~/.pki once it is.
  const std::string home = home_directory();
  const std::string newer = home + "/.local/share/pki/nssdb";
  return !exists(home + "/.pki") && exists(newer) ? newer : home + "/.pki/nssdb";
}

std::string chromium_browsers() {
  std::string names;
  for (const ChromiumBrowser& browser : kChromiumBrowsers) {
    if (is_here(browser)) names += (names.empty() ? "" : ", ") + std::string(browser.name);
  }
  return names;
}

std::vector<std::string> chromium_policy_folders() {
  std::vector<std::string> folders;
  for (const ChromiumBrowser& browser : kChromiumBrowsers) {
    if (is_here(browser)) folders.emplace_back(browser.policies);
  }
  return folders;
}

Result<Plan> plan_chromium_setup(const SetupOptions& options) {
  const std::string browsers = chromium_browsers();
  if (browsers.empty()) {
    return tl::unexpected(no_browser(
        "chromium",
        "neither Chromium nor one of its kin (Google Chrome, Microsoft Edge, Brave) is here: install it first"));
  }
  if (options.system) return plan_chromium_policy_setup(options, chromium_policy_folders());
  const auto module = module_path();
  if (!module) return fail(module);
  if (home_directory().empty())
    return fail(ErrorCode::kNotFound, "this user has no home directory, where Chromium's database would be");
  const auto device = device_with_identity(options);
  if (!device) return fail(device);
  Plan plan;
  const std::string database = chromium_database();
  if (const std::string source = other_source(*device->snapshot, database); !source.empty()) {
    note_other_source(plan, source, database, "chromium");
  } else if (auto added = add_module(plan, database, *module); !added) {
    return fail(added);
  }
  if (changes_since(plan, 0)) {
    if (auto closed = check_chromium_closed(); !closed) return fail(closed);
  }
  plan.notes.push_back(
      "Read by: " + browsers +
      ". They ask which certificate a site is to get, where no policy says it: `devtrust setup chromium "
      "--system`, as root, makes one for the sites of [browser] urls.");
  note_password(*device, plan);
  for (std::string& sentence : confined_browsers("chromium")) plan.notes.push_back(std::move(sentence));
  return plan;
}

Result<Plan> plan_chromium_unsetup(const SetupOptions& options) {
  if (options.system) {
    std::vector<std::string> folders;  // of those that are gone, too
    folders.reserve(kChromiumBrowsers.size());
    for (const ChromiumBrowser& browser : kChromiumBrowsers) folders.emplace_back(browser.policies);
    return plan_chromium_policy_unsetup(folders);
  }
  Plan plan;
  if (home_directory().empty()) return plan;
  for (const char* folder : {"/.pki/nssdb", "/.local/share/pki/nssdb"}) {
    if (auto taken = take_module(plan, home_directory() + folder); !taken) return fail(taken);
  }
  if (changes_since(plan, 0)) {
    if (auto closed = check_chromium_closed(); !closed) return fail(closed);
  }
  return plan;
}

}  // namespace devtrust::cli
