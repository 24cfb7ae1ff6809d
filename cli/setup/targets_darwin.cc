#include <array>

#include "cli/openssl_conf.h"
#include "cli/programs.h"
#include "cli/setup/firefox.h"
#include "cli/setup/firefox_places.h"
#include "cli/setup/git.h"
#include "cli/setup/openssl.h"
#include "cli/setup/p11_kit.h"
#include "cli/setup/ssh.h"
#include "cli/setup/targets.h"

namespace devtrust::cli {
namespace {

Result<Plan> nothing_for_curl(const SetupOptions& /*options*/) {
  return fail(ErrorCode::kUnsupported,
              "curl cannot be set up on macOS, whose own has no OpenSSL that could load the provider: brew install "
              "curl, and run that one by `devtrust exec`");
}

Result<Plan> nothing_for_gpgsm(const SetupOptions& /*options*/) {
  return fail(ErrorCode::kUnsupported,
              "gpgsm cannot be set up on macOS: git signs by `devtrust setup git`, and files are signed by `devtrust "
              "sign`");
}

Result<Plan> nothing_for_chromium(const SetupOptions& /*options*/) {
  return fail(ErrorCode::kUnsupported,
              "Chromium and its kin (Google Chrome, Microsoft Edge, Brave) read macOS' own keychains: nothing is to be "
              "set up; where the key lies in a file, import it there");
}

bool never() { return false; }
Result<Plan> nothing(const SetupOptions& /*options*/) { return Plan(); }

constexpr std::array<Target, 8> kTargets{
    {{"git", [] { return is_installed("git"); }, plan_git_setup, plan_git_unsetup},
     {"p11-kit", [] { return is_installed("p11-kit"); }, plan_p11_kit_setup, plan_p11_kit_unsetup},
     {"openssl", [] { return !openssl_program().empty(); }, plan_openssl_setup, plan_openssl_unsetup},
     {"ssh", [] { return is_installed("ssh"); }, plan_ssh_setup, plan_ssh_unsetup},
     {"firefox", firefox_is_installed, plan_firefox_setup, plan_firefox_unsetup},
     {"curl", never, nothing_for_curl, nothing},
     {"gpgsm", never, nothing_for_gpgsm, nothing},
     {"chromium", never, nothing_for_chromium, nothing}}};

}  // namespace

std::span<const Target> targets() { return kTargets; }

}  // namespace devtrust::cli
