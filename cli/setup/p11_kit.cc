#include "cli/setup/p11_kit.h"

#include <unistd.h>

#include "cli/programs.h"
#include "cli/setup/system_folders.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

const MarkedBlock kBlock("p11-kit");

/// pkcs11.conf(5): a file for each module.
Result<std::string> module_file(bool system) {
  if (system) return p11_kit_system_folder() + "/modules/devtrust.module";
  if (geteuid() == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "p11-kit passes over root's own configuration: run this as the user who is to have it, or with "
                "--system for every user");
  }
  if (config_home().empty())
    return fail(ErrorCode::kNotFound, "this user has no home directory, where p11-kit's configuration would be");
  return config_home() + "/pkcs11/modules/devtrust.module";
}

}  // namespace

Result<Plan> plan_p11_kit_setup(const SetupOptions& options) {
  const auto module = module_path_for_p11_kit();
  if (!module) return fail(module);
  const auto path = module_file(options.system);
  if (!path) return fail(path);
  const auto before = read_if_there(*path);
  if (!before) return fail(before);
  const auto known = kBlock.find(before->value_or(""));
  if (!known) return fail(known.error().code, *path + ": " + known.error().message);
  if (*before && !*known) {
    return fail(ErrorCode::kInvalidConfig,
                *path + " is there, and not by `devtrust setup p11-kit`: delete it first; nothing was changed");
  }
  Plan plan;
  if (auto put = plan.put(kBlock, *path, "module: " + *module + '\n', 0644, options.system); !put) return fail(put);
  plan.done.push_back(*path + ": module: " + *module);
  plan.notes.emplace_back(
      "GnuTLS's programs, wget and Debian's git name the key by a URI, which `devtrust uri` shows. Programs that run "
      "already take notice when they start again.");
  return plan;
}

Result<Plan> plan_p11_kit_unsetup(const SetupOptions& options) {
  Plan plan;
  if (!options.system && geteuid() == 0) return plan;  // root never has any
  const auto path = module_file(options.system);
  if (!path) return fail(path);
  if (auto taken = plan.take(kBlock, *path); !taken) return fail(taken);
  return plan;
}

}  // namespace devtrust::cli
