// How the operating system names programs, and where an installation has its parts.
#pragma once

#include <string>
#include <vector>

namespace devtrust::cli {

/// Where the program that runs lies.
std::string own_folder();

/// The file that runs by this name (of a path without `.exe` on Windows); empty where none does.
std::string executable(const std::string& path);
extern const char* const kProgramSuffix;
extern const char kPathSeparator;  ///< between the folders of PATH

/// Relative to our own folder: in an installation, and in the build tree.
std::vector<std::string> module_places();
std::vector<std::string> provider_places();

}  // namespace devtrust::cli
