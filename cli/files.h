// Whole files, in and out.
#pragma once

#include <string>

#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust::cli {

/// At most 2 GiB less a byte, which is what OpenSSL takes at once. Errors name the file.
Result<Bytes> read_whole_file(const std::string& path);
Result<Bytes> read_standard_input();

}  // namespace devtrust::cli
