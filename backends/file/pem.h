// PEM as it comes from anywhere, and the private keys in it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "identity/bytes.h"
#include "identity/openssl.h"
#include "identity/result.h"

namespace devtrust {

struct PemBlock {
  std::string_view label;  ///< "CERTIFICATE", "PRIVATE KEY", …
  ByteView text;           ///< BEGIN and END lines included
};
struct PemBlocks {
  std::vector<PemBlock> blocks;
  bool cut_off = false;  ///< a block begins and does not end, or there are too many
};
/// Views point into `content`.
PemBlocks pem_blocks(ByteView content);

/// What a block holds; nothing where it is no base64.
std::optional<Bytes> pem_content(const PemBlock& block);

/// kLoginRequired: it is encrypted and there is no password. kWrongPassword, kUnsupported, kCorrupt. Messages say "it"
/// of the key. Nobody is ever asked for a password.
Result<EvpPkeyPtr> pem_private_key(const PemBlock& block, std::optional<std::string_view> password);

}  // namespace devtrust
