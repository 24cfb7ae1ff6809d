// The NSS databases that browsers read, and our module in them: what setting up each browser has in common.
#pragma once

#include <string>
#include <vector>

#include "cli/device.h"
#include "cli/setup/plan.h"

namespace devtrust::cli {

/// kBusy: `who` has to be closed first.
Error running(const std::string& who, const std::string& process);
/// Why there is nothing to set up: that the browser is confined, where it is, else `otherwise`.
Error no_browser(const std::string& target, const std::string& otherwise);

/// The stores of the identities that the module would show.
Result<Device> device_with_identity(const SetupOptions& options);
void note_password(const Device& device, Plan& plan);

/// Adds the module to one database.
Result<void> add_module(Plan& plan, const std::string& database, const std::string& module);
Result<void> take_module(Plan& plan, const std::string& database);
void note_other_source(Plan& plan, const std::string& source, const std::string& database, const std::string& target);
/// Whether a change after the first so many is one.
bool changes_since(const Plan& plan, std::size_t first);

/// Where a browser with this database has the certificate from that the module would show: the database itself, or a
/// store of the system's that browsers read. Empty where it needs the module.
std::string other_source(const Snapshot& snapshot, const std::string& database);
/// The same of one identity, by what browsers read on this system.
std::string where_browsers_read(const Identity& identity, const std::string& database);

}  // namespace devtrust::cli
