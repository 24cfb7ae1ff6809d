#include <array>

#include "cli/programs.h"
#include "cli/setup/chromium.h"
#include "cli/setup/curl.h"
#include "cli/setup/firefox.h"
#include "cli/setup/firefox_places.h"
#include "cli/setup/git.h"
#include "cli/setup/gpgsm.h"
#include "cli/setup/openssl.h"
#include "cli/setup/p11_kit.h"
#include "cli/setup/ssh.h"
#include "cli/setup/targets.h"

namespace devtrust::cli {
namespace {

bool chromium_is_installed() {
  return is_installed("chromium") || is_installed("chromium-browser") || is_installed("google-chrome") ||
         is_installed("microsoft-edge") || is_installed("brave-browser");
}

constexpr std::array<Target, 8> kTargets{
    {{"git", [] { return is_installed("git"); }, plan_git_setup, plan_git_unsetup},
     {"p11-kit", [] { return is_installed("p11-kit"); }, plan_p11_kit_setup, plan_p11_kit_unsetup},
     {"openssl", [] { return is_installed("openssl"); }, plan_openssl_setup, plan_openssl_unsetup},
     {"curl", [] { return is_installed("curl"); }, plan_curl_setup, plan_curl_unsetup},
     {"ssh", [] { return is_installed("ssh"); }, plan_ssh_setup, plan_ssh_unsetup},
     {"gpgsm", [] { return is_installed(kCardDaemon); }, plan_gpgsm_setup, plan_gpgsm_unsetup},
     {"firefox", firefox_is_installed, plan_firefox_setup, plan_firefox_unsetup},
     {"chromium", chromium_is_installed, plan_chromium_setup, plan_chromium_unsetup}}};

}  // namespace

std::span<const Target> targets() { return kTargets; }

}  // namespace devtrust::cli
