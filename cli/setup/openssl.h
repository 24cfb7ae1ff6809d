// `devtrust setup openssl`: the provider in everything that uses libssl and libcrypto.
#pragma once

#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_openssl_setup(const SetupOptions& options);
Result<Plan> plan_openssl_unsetup(const SetupOptions& options);

/// The file of a user's own that `setup openssl` writes where OPENSSL_CONF names no other.
std::string user_openssl_conf();
/// The provider's path that our lines in `file` name; empty where there are none.
std::string provider_named_in(const std::string& file);

}  // namespace devtrust::cli
