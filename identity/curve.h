// The curves that we know, in every name that somebody has for them.
#pragma once

#include <cstddef>

#include "identity/bytes.h"
#include "identity/public_key.h"

namespace devtrust {

struct Curve {
  KeyType type;
  const char* group;           ///< OpenSSL's group name; null for the Edwards curves
  const char* algorithm;       ///< OpenSSL's key type
  const char* printable_name;  ///< PKCS#11 3.0 §2.3.5; null where there is none
  ByteView oid;                ///< DER, tag and length included
  int bits;
  std::size_t field_size;  ///< bytes
  int nid;
};

/// By DER parameters: the OID, or for Edwards curves PKCS#11's PrintableString. Null for any other curve.
const Curve* find_curve(ByteView params);
/// By OpenSSL's group name ("P-256" or "prime256v1"). Null for any other curve.
const Curve* find_curve(const char* group);
const Curve& edwards_curve(KeyType type);

}  // namespace devtrust
