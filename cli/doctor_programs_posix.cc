#include "cli/doctor_programs.h"

#include "cli/file_system.h"
#include "cli/setup/ssh.h"
#include "cli/setup/system_folders.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {

void examine_ssh(Lines& lines) {
  const auto asked = cli::run({"ssh", "-G", "devtrust.invalid"});
  if (!asked) return lines.off("ssh", "is not installed", {});
  if (asked->code != 0) {
    return lines.problem("ssh", "does not start with its configuration: " + first_line(asked->errors),
                         "mend that file first");
  }
  const std::string module = ssh_module(asked->output);
  if (module.empty()) return lines.off("ssh", "does not offer the device's key", "devtrust setup ssh");
  if (module.find("devtrust") == std::string::npos)
    return lines.off("ssh", "uses another module, " + module, "take its PKCS11Provider out, then: devtrust setup ssh");
  if (!is_readable(module))
    return lines.problem("ssh", "is to load " + module + ", which is not there", "devtrust setup ssh");
  if (const auto can = ssh_can_load(module); !can) return lines.problem("ssh", can.error().message);
  lines.ok("ssh", "offers the device's key");
}

void examine_users_of_module(Lines& lines) {
  const auto listed = cli::run({"p11-kit", "list-modules"});
  if (!listed) return lines.off("p11-kit", "is not installed", {});
  if (listed->output.find("library-manufacturer: devtrust") != std::string::npos)
    return lines.ok("p11-kit", "knows the module");
  // It passes over a module that it cannot load, and says nothing.
  for (const std::string& folder :
       {config_home() + "/pkcs11", p11_kit_system_folder(), std::string("/usr/share/p11-kit")}) {
    const std::string file = folder + "/modules/devtrust.module";
    if (!exists(file)) continue;
    return lines.problem("p11-kit", "has " + file + ", and does not load the module that it names",
                         std::string(!folder.starts_with(config_home())
                                         ? "as root, delete that file, then: devtrust setup p11-kit --system"
                                         : "delete that file, then: devtrust setup p11-kit") +
                             "; where that does not help, see whether pkcs11.conf has user-config: none");
  }
  lines.off("p11-kit", "does not know the module", "devtrust setup p11-kit");
}

}  // namespace devtrust::cli
