#include "cli/doctor_browsers.h"
#include "cli/doctor_programs.h"
#include "cli/subprocess.h"

namespace devtrust::cli {
namespace {

void examine_curl(Lines& lines) {
  const auto version = cli::run({"curl", "--version"});
  if (!version) return lines.off("curl", "is not installed", {});
  if (version->output.find("OpenSSL/") == std::string::npos) {
    return lines.off("curl", "does not use OpenSSL, as macOS' own does not, so it cannot use the key",
                     "brew install curl, and run that one by `devtrust exec`");
  }
  lines.ok("curl", "uses OpenSSL, so it can use the key by `devtrust exec`");
}

}  // namespace

const char* const kNoStore = "no keychain that can be looked at holds a certificate";
const char* const kInstallAgain =
    "install the agent again; where the device was removed on purpose, delete the certificate in Keychain Access";
const char* const kRefusedKey =
    "list devtrust in the agent's settings; a key of your own is for security set-key-partition-list; or have "
    "devtrust-keyholder use the key for all programs, so that it alone has to be listed";
std::string jumpcloud_folder() { return "/opt/jc"; }

void examine_programs(const Device* device, Lines& lines) {
  examine_curl(lines);
  examine_ssh(lines);
  std::vector<Line> browsers;
  examine_firefox(device != nullptr ? device->snapshot.get() : nullptr, browsers);
  lines.add(std::move(browsers));
}

}  // namespace devtrust::cli
