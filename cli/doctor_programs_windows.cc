#include "cli/doctor_browsers.h"
#include "cli/doctor_programs.h"
#include "cli/file_system.h"
#include "identity/process.h"

namespace devtrust::cli {

const char* const kNoStore = "no store that can be looked at holds a certificate";
const char* const kInstallAgain =
    "install the agent again; where the device was removed on purpose, delete the certificate in certmgr.msc";

std::string jumpcloud_folder() {
  const std::string folder = environment("ProgramFiles");
  return text_of(path_of(folder.empty() ? "C:/Program Files" : folder) / "JumpCloud");
}

// Nothing here brings modules to programs, as p11-kit does elsewhere.
void examine_users_of_module(Lines& /*lines*/) {}

void examine_programs(const Device* device, Lines& lines) {
  std::vector<Line> browsers;
  examine_firefox(device != nullptr ? device->snapshot.get() : nullptr, browsers);
  lines.add(std::move(browsers));
}

}  // namespace devtrust::cli
