#include <fmt/format.h>

#include <array>
#include <string_view>

#include "cli/file_system.h"
#include "cli/setup/confined_browsers.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

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

}  // namespace

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

}  // namespace devtrust::cli
