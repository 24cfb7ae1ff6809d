#include "cli/verifier.h"

#include <algorithm>

#include "cli/device.h"
#include "identity/selection.h"

namespace devtrust::cli {

Result<Verifier> Verifier::open(const std::string& file) {
  auto config = load_config(file);
  if (!config) return fail(config);
  return Verifier(*std::move(config));
}

const std::vector<CertificatePtr>& Verifier::known() {
  if (known_) return *known_;
  known_.emplace();
  const auto device = open_device(config_);
  if (!device) return *known_;  // a machine that only verifies has none
  for (const IdentityPtr& identity : all_identities(*device->snapshot, current_time())) {
    known_->push_back(identity->leaf);
    known_->insert(known_->end(), identity->chain.issuers.begin(), identity->chain.issuers.end());
  }
  return *known_;
}

Result<std::vector<SignatureReport>> Verifier::verify(ByteView signature, std::optional<ByteView> data, Time now) {
  auto reports = verify_message(signature, data, trust_, {}, now);
  const auto incomplete = [](const SignatureReport& report) {
    return report.verdict == Verdict::kNoCertificate || report.verdict == Verdict::kUntrusted;
  };
  if (!reports || std::ranges::none_of(*reports, incomplete) || known().empty()) return reports;
  return verify_message(signature, data, trust_, known(), now);
}

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return "good";
    case Verdict::kExpiredSince:
      return "expired-since";
    case Verdict::kAfterExpiry:
      return "after-expiry";
    case Verdict::kBeforeValid:
      return "before-valid";
    case Verdict::kUntrusted:
      return "untrusted";
    case Verdict::kRejected:
      return "rejected";
    case Verdict::kRevoked:
      return "revoked";
    case Verdict::kBad:
      return "bad";
    case Verdict::kUnsupported:
      return "unsupported";
    case Verdict::kNoCertificate:
      break;
  }
  return "no-certificate";
}

}  // namespace devtrust::cli
