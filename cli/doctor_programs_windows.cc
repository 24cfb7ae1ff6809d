#include "cli/doctor_browsers.h"
#include "cli/doctor_programs.h"
#include "cli/file_system.h"
#include "cli/setup/curl.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

void examine_curl(const Device* device, Lines& lines) {
  if (!curl_is_set_up()) return lines.off("curl", "does not show the certificate", "devtrust setup curl");
  if (device == nullptr) return;
  const auto current = select_current(*device->snapshot, {}, current_time());
  if (!current) return;  // which the line of the identity says
  if (auto can = curl_can_use(**current); !can) return lines.problem("curl", can.error().message);
  lines.ok("curl", "takes the certificate from Windows' store, by --config " + curl_configuration());
}

}  // namespace

const char* const kNoStore = "no store that can be looked at holds a certificate";
const char* const kInstallAgain =
    "install the agent again; where the device was removed on purpose, delete the certificate in certmgr.msc";

const char* const kRefusedKey = "";

std::string jumpcloud_folder() {
  const std::string folder = environment("ProgramFiles");
  return text_of(path_of(folder.empty() ? "C:/Program Files" : folder) / "JumpCloud");
}

// Nothing here brings modules to programs, as p11-kit does elsewhere.
void examine_users_of_module(Lines& /*lines*/) {}

void examine_programs(const Device* device, Lines& lines) {
  examine_curl(device, lines);
  std::vector<Line> browsers;
  examine_firefox(device != nullptr ? device->snapshot.get() : nullptr, browsers);
  lines.add(std::move(browsers));
}

}  // namespace devtrust::cli
