// Where Windows says that a certificate's private key is.
#pragma once

#include <cstdint>
#include <string>

namespace devtrust {

/// A certificate's CERT_KEY_PROV_INFO property.
struct KeyPlace {
  std::string container, provider;
  std::uint32_t provider_type = 0;  ///< of a CSP (CryptoAPI); 0: a key storage provider (CNG)
  std::uint32_t key_spec = 0;       ///< AT_KEYEXCHANGE or AT_SIGNATURE; with CNG usually 0
  bool machine = false;             ///< among the machine's keys, not the user's

  friend bool operator==(const KeyPlace&, const KeyPlace&) = default;
};

}  // namespace devtrust
