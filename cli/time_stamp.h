// RFC 3161: an authority says when a signature existed, so that it stays good when its certificate expires.
#pragma once

#include <optional>
#include <string>

#include "cli/trust.h"

namespace devtrust::cli {

struct TimeStamp {
  Time time;
  std::string authority;               ///< the subject of its certificate; empty where it is not in the token
  std::optional<std::string> problem;  ///< why the time is not proven
};

/// Asks the authority at `url` (http://…) for a token over `signature`, and checks that it is one, and signed: where
/// verify.timestamp_roots names roots, under one of them, else by whoever. Gives up after ten seconds. The result is
/// the DER of the token.
Result<Bytes> request_time_stamp(const std::string& url, ByteView signature, const Trust& trust);

/// What a token says of `signature`. kSignatureInvalid where it is not a token, or one over something else.
Result<TimeStamp> read_time_stamp(ByteView token, ByteView signature, const Trust& trust);

}  // namespace devtrust::cli
