#include "cli/setup/browsers.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>

#include <fmt/format.h>

#include "backends/registry.h"
#include "cli/device.h"
#include "cli/programs.h"
#include "cli/setup/browser_policies.h"
#include "cli/setup/nss_modules.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

const MarkedBlock kAutoSelect("firefox");
constexpr const char* kAutoSelectLine = "user_pref(\"security.default_personal_cert\", \"Select Automatically\");\n";

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

struct Confined {
  const char* browser;  // as the target is called
  const char* folder;   // below the home
  const char* name;
  bool flatpak;
};

constexpr std::array<Confined, 7> kConfined{{{"firefox", "snap/firefox", "Firefox", false},
                                             {"firefox", ".var/app/org.mozilla.firefox", "Firefox", true},
                                             {"chromium", "snap/chromium", "Chromium", false},
                                             {"chromium", ".var/app/org.chromium.Chromium", "Chromium", true},
                                             {"chromium", ".var/app/com.google.Chrome", "Google Chrome", true},
                                             {"chromium", ".var/app/com.microsoft.Edge", "Microsoft Edge", true},
                                             {"chromium", ".var/app/com.brave.Browser", "Brave", true}}};

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool is_here(const ChromiumBrowser& browser) {
  return exists(config_home() + '/' + browser.folder) || std::ranges::any_of(browser.programs, is_installed);
}

Error running(const std::string& who, const std::string& process) {
  return {ErrorCode::kBusy,
          fmt::format("{} is running (process {}): close it first; nothing was changed", who, process)};
}

/// Firefox holds a lock on a file of the profile; the kernel lets go of it however Firefox ends.
Result<void> check_firefox_closed(const std::string& profile) {
  const int file = open((profile + "/.parentlock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return {};
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  close(file);
  if (held) return tl::unexpected(running("Firefox with the profile " + profile, std::to_string(lock.l_pid)));
  return {};
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

/// The stores of the identities that the module would show.
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

/// Adds the module to one database.
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

bool names_module(const std::string& database) {
  const auto text = read_if_there(database + "/pkcs11.txt");
  if (!text || !*text) return false;
  const auto modules = nss_modules(**text);
  return modules && std::ranges::any_of(*modules, &NssModule::is_devtrust);
}

void note_own_database(Plan& plan, const std::string& database, const std::string& target) {
  plan.notes.push_back(database + " holds the certificate itself, so the browser shows it without our module.");
  if (names_module(database)) {
    plan.notes.push_back(
        fmt::format("It names our module as well, so the certificate is shown twice: `devtrust unsetup {}` takes the "
                    "module out.",
                    target));
  }
}

bool changes_since(const Plan& plan, std::size_t first) {
  return std::any_of(plan.changes.begin() + static_cast<std::ptrdiff_t>(first), plan.changes.end(),
                     [](const FileChange& change) { return !change.empty(); });
}

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

Error nothing_found(const std::string& target, const std::string& otherwise) {
  std::string message;
  for (const std::string& sentence : confined_browsers(target)) message += (message.empty() ? "" : " ") + sentence;
  return {ErrorCode::kUnsupported, message.empty() ? otherwise : message};
}

}  // namespace

std::vector<std::string> firefox_profile_folders() {
  std::vector<std::string> folders;
  std::vector<Error> problems;
  for (const std::string& root : {home_directory() + "/.mozilla/firefox", config_home() + "/mozilla/firefox"}) {
    for (const std::string& folder : devtrust::firefox_profile_folders(root, problems)) {
      if (exists(folder) && std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
    }
  }
  return folders;
}

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

std::vector<std::string> confined_browsers(const std::string& browser) {
  std::vector<std::string> sentences;
  for (const Confined& each : kConfined) {
    if (browser != each.browser || !exists(home_directory() + '/' + each.folder)) continue;
    sentences.push_back(
        each.flatpak ? fmt::format("{} from Flatpak cannot load a module of this machine. It is not set up here; "
                                   "docs/sandboxes.md says how it reaches the key through the user unit "
                                   "devtrust-p11-kit.socket.",
                                   each.name)
                     : fmt::format("{} from Snap cannot load a module of this machine: it can use only what its "
                                   "own database holds.",
                                   each.name));
  }
  return sentences;
}

bool holds_identity(const Snapshot& snapshot, const std::string& database) {
  return std::ranges::any_of(snapshot.profiles(), [&](const Profile& profile) {
    const auto& identities = snapshot.identities(profile.name);
    const auto current = snapshot.current(profile.name, current_time());
    const IdentityPtr shown = current ? *current : identities.empty() ? nullptr : identities.front();
    std::error_code error;
    return shown && shown->store_kind == "nss" && fs::equivalent(shown->location, database, error);
  });
}

Result<Plan> plan_firefox_setup(const SetupOptions& options) {
  if (options.system) return plan_firefox_policy_setup(options);
  const auto module = module_path();
  if (!module) return fail(module);
  const auto folders = firefox_profile_folders();
  if (folders.empty()) {
    return tl::unexpected(nothing_found(
        "firefox", "Firefox has no profile of this user's yet: start it once, close it, and run this again"));
  }
  const auto device = device_with_identity(options);
  if (!device) return fail(device);
  Plan plan;
  for (const std::string& folder : folders) {
    const std::size_t first = plan.changes.size();
    if (holds_identity(*device->snapshot, folder)) {
      note_own_database(plan, folder, "firefox");
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

Result<Plan> plan_chromium_setup(const SetupOptions& options) {
  const std::string browsers = chromium_browsers();
  if (browsers.empty()) {
    return tl::unexpected(nothing_found(
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
  if (holds_identity(*device->snapshot, database)) {
    note_own_database(plan, database, "chromium");
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
