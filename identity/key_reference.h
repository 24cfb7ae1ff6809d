// The file form of a key for programs that take nothing but files: a URI where the key would stand.
//   -----BEGIN DEVTRUST KEY-----  base64 of  SEQUENCE { version VisibleString ("1"), uri UTF8String }
#pragma once

#include <string>

#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust {

inline constexpr const char* kKeyReferenceLabel = "DEVTRUST KEY";
inline constexpr std::size_t kMaxKeyReference = 8192;  ///< bytes of DER

/// The PEM block that refers to `uri`, with lines of 64 characters and a final newline.
std::string encode_key_reference(std::string_view uri);

/// The URI, as it was written. kCorrupt, or kUnsupported for a later version.
Result<std::string> parse_key_reference(ByteView der);

}  // namespace devtrust
