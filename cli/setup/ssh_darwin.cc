#include "cli/homebrew.h"
#include "cli/programs.h"
#include "cli/setup/ssh.h"
#include "cli/subprocess.h"

namespace devtrust::cli {

// What macOS allows its own programs changes from version to version, so they are asked; without a question for a PIN.
Result<void> ssh_can_load(const std::string& module) {
  const auto asked =
      run({"ssh-keygen", "-D", module}, {}, {{"SSH_ASKPASS", "/usr/bin/false"}, {"SSH_ASKPASS_REQUIRE", "force"}});
  if (!asked || asked->code == 0) return {};
  const std::string reason = load_failure(asked->errors);
  const std::string ssh = installed_path("ssh");
  if (reason.empty() && !package_prefix(ssh).empty()) return {};  // it loads the module, which has no key now
  return fail(ErrorCode::kUnsupported,
              ssh + " shows no key of the module" + (reason.empty() ? "" : " (" + reason + ')') +
                  ": macOS' own ssh may load none but Apple's; brew install openssh, and have its ssh first on PATH");
}

}  // namespace devtrust::cli
