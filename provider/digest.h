// Digests by the names that a caller of libcrypto gives them.
#pragma once

#include <openssl/types.h>

#include <memory>

#include "identity/scheme.h"

namespace devtrust::provider {

using MdPtr = std::shared_ptr<const EVP_MD>;

/// In our own library context, by any of libcrypto's names; null for one that it does not know.
MdPtr find_md(const char* name);
/// kNone for a digest that SignScheme has no name for.
Digest digest_of(const EVP_MD& md);

}  // namespace devtrust::provider
