// Where macOS has programs that are not its own. On macOS only.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace devtrust::cli {

/// A path below the folder of one version, `…/Cellar/NAME/VERSION/…`, by the name that leads to each next version as
/// well, `…/opt/NAME/…`: configurations outlive the version that wrote them. Others as they are.
std::string lasting_path(std::string_view path);

/// The folders in which Homebrew and MacPorts install.
extern const std::array<std::string_view, 3> kPackagePrefixes;

/// The one of them that a program is in; empty where it is in none, and so macOS' own or somebody's.
std::string package_prefix(std::string_view program);

}  // namespace devtrust::cli
