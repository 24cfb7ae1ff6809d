// The one place that knows which backends this build has.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// Sources for `config.stores`, or the platform's usual places where it names none. kInvalidConfig for a kind that this
/// build does not have.
Result<std::vector<std::unique_ptr<StoreSource>>> open_sources(const Config& config);

/// The folders of Firefox's profiles by the profiles.ini in `root`, each of which has an NSS database.
std::vector<std::string> firefox_profile_folders(const std::string& root, std::vector<Error>& problems);

}  // namespace devtrust
