// What a host does by its operating system.
#pragma once

#include <cstddef>
#include <string>

namespace devtrust::testing {

/// As hosts load modules. Throws std::runtime_error where that fails.
void* load_library(const std::string& path);
void unload_library(void* library);
/// Null where it has none.
void* find_symbol(void* library, const char* name);

/// Of this process, for what it starts and for what it loads.
void set_environment(const std::string& name, const std::string& value);

/// Files and whatever else of the operating system this process has open.
std::size_t open_handles();

}  // namespace devtrust::testing
