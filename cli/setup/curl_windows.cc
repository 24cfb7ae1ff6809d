#include <fmt/format.h>

#include "cli/programs.h"
#include "cli/setup/curl.h"
#include "cli/subprocess.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

// Not by the certificate's thumbprint, which is another one after each renewal.
constexpr std::string_view kLines = "ssl-auto-client-cert\n";

/// The TLS library that curl uses: the first that it names without parentheses. Windows' own curl has Schannel, and so
/// has Git's, whose OpenSSL is for git itself.
bool uses_schannel(const std::string& version) {
  const std::size_t at = version.find(" Schannel");
  return at != std::string::npos && at < version.find('\n');
}

}  // namespace

Result<void> curl_can_use(const Identity& identity) {
  const auto version = run({"curl", "--version"});
  if (!version || version->code != 0)
    return fail(ErrorCode::kNotFound,
                "curl does not start: it comes with Windows, in System32; see that PATH has that");
  if (!uses_schannel(version->output)) {
    return fail(ErrorCode::kUnsupported,
                installed_path("curl") +
                    " does not use Schannel, Windows' own TLS: have Windows' curl.exe first on "
                    "PATH; a curl with OpenSSL has the key by `devtrust exec`");
  }
  if (const auto known = run({"curl", "--ssl-auto-client-cert", "--version"}); !known || known->code != 0) {
    return fail(ErrorCode::kUnsupported,
                installed_path("curl") +
                    " is older than 7.77 and cannot find a certificate in Windows' store: update "
                    "Windows");
  }
  if (identity.store_kind != "windows") {
    return fail(ErrorCode::kUnsupported,
                identity.location +
                    " has the key, and curl takes none but of Windows' own store: import it there, or "
                    "have a curl with OpenSSL and run it by `devtrust exec`");
  }
  if (identity.location != "CurrentUser\\MY") {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the certificate is the machine's, and curl finds a user's own: name it, anew after each "
                            "renewal, by curl --cert \"{}\\{}\"",
                            identity.location, sha1_fingerprint(*identity.leaf)));
  }
  return {};
}

Result<Plan> plan_curl_setup(const SetupOptions& options) {
  if (options.system) return curl_is_each_users();
  const auto device = open_device();
  if (!device) return fail(device);
  const auto current = select_current(*device->snapshot, options.profile, current_time());
  if (!current) return fail(current);
  if (auto can = curl_can_use(**current); !can) {
    return fail(can.error().code, can.error().message + "; nothing was changed");
  }
  Plan plan;
  const std::string configuration = curl_configuration();
  if (auto put = put_curl_file(plan, configuration, kLines); !put) return fail(put);
  plan.done.push_back(configuration + ": curl takes the certificate from Windows' store, also after a renewal");
  plan.notes.push_back("Use it with: curl.exe --config " + quoted_word(configuration) +
                       " https://… All other calls of curl stay as they are.");
  plan.notes.emplace_back(
      "Where this user has several certificates, Windows chooses by what the server asks for, whatever devtrust's "
      "profile says.");
  return plan;
}

Result<Plan> plan_curl_unsetup(const SetupOptions& options) {
  Plan plan;
  if (options.system) return plan;  // there never is any
  if (auto taken = plan.take(kCurlBlock, curl_configuration()); !taken) return fail(taken);
  return plan;
}

}  // namespace devtrust::cli
