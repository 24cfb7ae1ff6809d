#include "cli/setup/curl.h"

#include "identity/process.h"

namespace devtrust::cli {

const MarkedBlock kCurlBlock("curl");

std::string curl_configuration() { return text_of(path_of(config_home() + "/devtrust/curlrc")); }

bool curl_is_set_up() {
  const auto text = read_if_there(curl_configuration());
  const auto lines = kCurlBlock.find(text && *text ? **text : std::string());
  return lines && *lines;
}

tl::unexpected<Error> curl_is_each_users() {
  return fail(ErrorCode::kInvalidArgument,
              "curl's files are each user's own, as the certificate is: run this as the user who is to have it");
}

tl::unexpected<Error> made_by_hand(const std::string& path) {
  return fail(ErrorCode::kInvalidConfig,
              path + " is there, and not by `devtrust setup curl`: move it away first; nothing was changed");
}

Result<void> put_curl_file(Plan& plan, const std::string& path, std::string_view lines) {
  const auto before = read_if_there(path);
  if (!before) return fail(before);
  const auto known = kCurlBlock.find(before->value_or(""));
  if (!known) return fail(known.error().code, path + ": " + known.error().message);
  if (*before && !*known) return made_by_hand(path);
  return plan.put(kCurlBlock, path, lines, 0644, false);
}

}  // namespace devtrust::cli
