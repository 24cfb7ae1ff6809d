// How the operating system names programs, and where this one is.
#pragma once

#include <string>

namespace devtrust::cli {

/// Where the program that runs lies.
std::string own_folder();

/// The file that runs by this name (of a path without `.exe` on Windows); empty where none does.
std::string executable(const std::string& path);
extern const char* const kProgramSuffix;
extern const char kPathSeparator;  ///< between the folders of PATH

}  // namespace devtrust::cli
