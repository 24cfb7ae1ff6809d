// `devtrust setup curl`: the certificate for curl: as files that stay fresh, which all else that takes nothing but
// files can have as well; on Windows out of Windows' own store.
#pragma once

#include <string>
#include <string_view>

#include "cli/device.h"
#include "cli/setup/plan.h"

namespace devtrust::cli {

Result<Plan> plan_curl_setup(const SetupOptions& options);
Result<Plan> plan_curl_unsetup(const SetupOptions& options);

/// The file for `curl --config`.
std::string curl_configuration();
/// Whether our lines are in it.
bool curl_is_set_up();

/// Where chain.pem and key.pem are. Not on Windows.
std::string pem_folder();

/// Why the curl that is installed cannot use the certificate by these lines. On Windows only.
Result<void> curl_can_use(const Identity& identity);

extern const MarkedBlock kCurlBlock;
/// What --system is answered.
tl::unexpected<Error> curl_is_each_users();
/// Our lines into a file that is new or ours.
Result<void> put_curl_file(Plan& plan, const std::string& path, std::string_view lines);
/// That there is one which is not ours.
tl::unexpected<Error> made_by_hand(const std::string& path);

}  // namespace devtrust::cli
