// PKCS#1's DigestInfo.
#pragma once

#include <optional>

#include "identity/bytes.h"
#include "identity/scheme.h"

namespace devtrust {

/// What PKCS#1 v1.5 pads: which digest, and its value. `md5`: MD5, for which Digest has no name.
struct DigestInfo {
  Digest digest = Digest::kNone;
  bool md5 = false;
  ByteView value;  ///< of the bytes it was read from
};
/// The DigestInfo that `der` is, with the lengths that it must have; nothing where it is anything else.
std::optional<DigestInfo> parse_digest_info(ByteView der);
/// DER; `digest` is not kNone.
Bytes digest_info(Digest digest, ByteView value);

}  // namespace devtrust
