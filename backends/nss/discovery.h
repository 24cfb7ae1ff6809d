// Where NSS databases are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// The usual places of Linux: the user's shared database, Chromium's, every Firefox profile, Snap and Flatpak, the
/// system's. What appears later is found.
std::unique_ptr<StoreSource> nss_usual_places();

/// The profile folders of `root`'s profiles.ini: each section's Path, relative to `root` where IsRelative is 1.
std::vector<std::string> firefox_profiles(const std::string& root, std::vector<Error>& problems);

/// The one folder that `config.path` names ("sql:" before it is allowed).
std::unique_ptr<StoreSource> nss_store_at(const StoreConfig& config);

}  // namespace devtrust
