#include <array>

#include "cli/programs.h"
#include "cli/setup/curl.h"
#include "cli/setup/firefox.h"
#include "cli/setup/firefox_places.h"
#include "cli/setup/git.h"
#include "cli/setup/openssl.h"
#include "cli/setup/targets.h"

namespace devtrust::cli {
namespace {

Result<Plan> nothing_for_chromium(const SetupOptions& /*options*/) {
  return fail(
      ErrorCode::kUnsupported,
      "Chromium and its kin (Google Chrome, Microsoft Edge, Brave) read Windows' own certificate store: nothing "
      "is to be set up; where the key lies in a file, import it there");
}

Result<Plan> nothing_of_chromium(const SetupOptions& /*options*/) { return Plan(); }

constexpr std::array<Target, 5> kTargets{
    {{"git", [] { return is_installed("git"); }, plan_git_setup, plan_git_unsetup},
     {"openssl", [] { return is_installed("openssl"); }, plan_openssl_setup, plan_openssl_unsetup},
     {"curl", [] { return is_installed("curl"); }, plan_curl_setup, plan_curl_unsetup},
     {"firefox", firefox_is_installed, plan_firefox_setup, plan_firefox_unsetup},
     {"chromium", [] { return false; }, nothing_for_chromium, nothing_of_chromium}}};

}  // namespace

std::span<const Target> targets() { return kTargets; }

}  // namespace devtrust::cli
