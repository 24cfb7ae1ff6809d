// A PKCS#11 module's file.
#pragma once

#include <string>

#include "identity/result.h"
#include "pkcs11/cryptoki.h"

namespace devtrust {

/// Loads it, out of the way of the host's own symbols, and keeps it loaded: many modules do not survive being taken
/// out. kNotFound, kIo.
Result<CK_FUNCTION_LIST*> load_module_file(const std::string& path);

}  // namespace devtrust
