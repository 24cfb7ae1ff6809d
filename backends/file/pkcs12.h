// PKCS#12 files, read without libcrypto's default context.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "identity/bytes.h"
#include "identity/openssl.h"
#include "identity/result.h"

namespace devtrust {

struct Pkcs12Contents {
  std::vector<Bytes> certificates;  ///< DER
  std::vector<EvpPkeyPtr> keys;
  std::vector<Error> problems;  ///< keys that were passed over
};

/// Whether `content` begins like one: in BER, which several exporters write, or in DER.
bool looks_like_pkcs12(ByteView content);

/// Without a password, the empty one and none at all are tried. kWrongPassword (one is needed, or another one),
/// kUnsupported, kCorrupt. Messages say "it" of the file.
Result<Pkcs12Contents> read_pkcs12(ByteView content, std::optional<std::string_view> password);

}  // namespace devtrust
