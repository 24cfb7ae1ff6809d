// Windows' access control lists, for tests: who may do what to a file.
#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace devtrust::testing {

/// SIDs, as their letters in SDDL.
constexpr const char* kEveryone = "WD";
constexpr const char* kAdministrators = "BA";

/// All for this user, and `rights` (as SDDL has them: "FR", "FW", "FA") for `other`. Nothing is inherited.
void set_access(const std::filesystem::path& path, const std::string& rights = {},
                const std::string& other = kEveryone);
/// The SIDs to which the list gives any rights.
std::set<std::string> allowed(const std::filesystem::path& path);
/// Those that may always be there: this user, the system and administrators.
std::set<std::string> ours();

}  // namespace devtrust::testing
