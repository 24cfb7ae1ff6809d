// The rows of one NSS database, read in one go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "identity/bytes.h"
#include "identity/result.h"

namespace devtrust {

/// A private key's row. An attribute that the row does not have is nothing; NSS's stand-in for an empty value is empty.
struct NssKeyRow {
  std::optional<Bytes> label, key_type, id, modulus, exponent, ec_params, ec_point;
  std::optional<Bytes> decrypt, sign, derive, local, always_sensitive, never_extractable;
  std::optional<Bytes> value, prime1, prime2, coefficient;  ///< encrypted, each by itself
};

struct NssRows {
  Bytes global_salt,
      password_check;  ///< both empty where the database was never given a password, not even an empty one
  std::vector<NssKeyRow> keys;
  std::vector<Bytes> certificates;  ///< DER: of the keys, and whatever may be their issuers
  std::vector<Error> problems;
};

/// `folder` holds cert9.db and key4.db. Waits a bounded time for a writer. kNotFound, kBusy, kCorrupt, kAccessDenied,
/// kUnsupported, each with a sentence that names the file.
Result<NssRows> read_nss_database(const std::string& folder);

}  // namespace devtrust
