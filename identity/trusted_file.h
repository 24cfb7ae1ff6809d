// Files that decide what is believed: a configuration, a password, a root.
#pragma once

#include <string>

#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust {

/// A regular file of at most `limit` bytes that only root and this user may change, or replace in its folder.
/// kNotFound, kAccessDenied, kIo; kInvalidConfig with what has to be mended where it is not to be believed.
Result<std::string> read_trusted_text(const std::string& path, std::size_t limit);
Result<SecureBytes> read_trusted_secret(const std::string& path, std::size_t limit);

}  // namespace devtrust
