// Verifies with what the configuration says of trust, and with the certificates that this device knows.
#pragma once

#include <optional>
#include <vector>

#include "cli/cms.h"

namespace devtrust::cli {

class Verifier {
 public:
  /// Of the usual configuration, or of the one `file` where it is not empty.
  static Result<Verifier> open(const std::string& file = {});

  /// What about the roots is wrong, a sentence each.
  const std::vector<std::string>& problems() const { return trust_.problems(); }

  /// As verify_message. The device's own stores are opened only where a certificate of theirs could change the answer.
  Result<std::vector<SignatureReport>> verify(ByteView signature, std::optional<ByteView> data, Time now);

 private:
  explicit Verifier(Config config) : trust_(Trust::load(config)), config_(std::move(config)) {}
  const std::vector<CertificatePtr>& known();

  Trust trust_;
  Config config_;
  std::optional<std::vector<CertificatePtr>> known_;
};

/// The verdict in a word, for programs: "good", "expired-since", …
const char* verdict_name(Verdict verdict);

}  // namespace devtrust::cli
