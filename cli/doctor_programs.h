// What `doctor` says of this system's programs.
#pragma once

#include <string>

#include "cli/device.h"
#include "cli/doctor_line.h"

namespace devtrust::cli {

/// By what this system's programs find the module.
void examine_users_of_module(Lines& lines);
/// Not on Windows.
void examine_ssh(Lines& lines);
/// The programs that `setup` has targets for, without git. `device`: null where the configuration cannot be read.
void examine_programs(const Device* device, Lines& lines);

extern const char* const kNoStore;       ///< that nothing is in the usual places
extern const char* const kInstallAgain;  ///< what to do where the agent is gone
extern const char* const kRefusedKey;    ///< what to do where the store refuses the key; empty: its message says so
std::string jumpcloud_folder();          ///< that its agent is installed in

}  // namespace devtrust::cli
