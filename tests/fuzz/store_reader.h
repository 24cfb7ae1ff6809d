// Does with a store what the catalog and its users would.
#pragma once

#include <filesystem>

#include "identity/config.h"

namespace devtrust::fuzz {

/// A folder of this process.
const std::filesystem::path& scratch();

/// Into the file as it is, so that it stays the same one.
void overwrite(const std::filesystem::path& path, ByteView content);

/// Reads the store, unlocks it, builds a snapshot and uses every key. Ends the process where a result contradicts what
/// the interfaces promise.
void use_store(const StoreConfig& store);

}  // namespace devtrust::fuzz
