// `devtrust setup curl`: the certificate as files that stay fresh, for curl and all else that takes nothing but files.
#pragma once

#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_curl_setup(const SetupOptions& options);
Result<Plan> plan_curl_unsetup(const SetupOptions& options);

/// Where chain.pem and key.pem are.
std::string pem_folder();
/// The file for `curl --config`.
std::string curl_configuration();
/// Whether our lines are in it.
bool curl_is_set_up();

}  // namespace devtrust::cli
