// The PKCS#11 modules of an NSS database: its pkcs11.txt, which NSS itself rewrites when modules come and go.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/result.h"

namespace devtrust::cli {

struct NssModule {
  std::string name, library;

  bool is_devtrust() const;  ///< whether the library is our module, by whatever name
};

/// What the file names. kCorrupt names the line that is no NAME=VALUE.
Result<std::vector<NssModule>> nss_modules(std::string_view text);

/// `text` (nothing: there is no file) with our module, as modutil would add it; as it is where another name loads it
/// already. kInvalidConfig where "devtrust" names another module.
Result<std::string> with_nss_module(std::optional<std::string_view> text, const std::string& library);

/// `text` without it. Nothing: the file was ours alone and should be deleted.
Result<std::optional<std::string>> without_nss_module(std::string_view text);

}  // namespace devtrust::cli
