// The configuration's text.
#include "identity/config.h"

#include <cstdlib>

#include "identity/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = devtrust::parse_config(devtrust::as_text({data, size}), "config.toml");
  if (!config) {
    if (!config.error().message.starts_with("config.toml")) std::abort();  // an error names the file
    return 0;
  }
  if (config->profiles.empty()) std::abort();
  for (const devtrust::Profile& profile : config->profiles) {
    if (profile.matches.empty() || profile.label.empty() || profile.label.size() > 32) std::abort();
  }
  return 0;
}
