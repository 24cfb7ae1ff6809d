// Signatures as git, smimesign and gpgsm know them: CMS SignedData (RFC 5652) with one signer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/trust.h"
#include "identity/audit.h"
#include "identity/snapshot.h"

namespace devtrust::cli {

/// GnuPG's numbers, as status lines name algorithms (RFC 4880 §9); 0 for one that it has not.
struct AlgorithmNumbers {
  int key = 0, digest = 0;
};

struct SignRequest {
  bool detached = false;
  bool armor = false;      ///< PEM "SIGNED MESSAGE"; otherwise DER
  int include_certs = -2;  ///< as docs/configuration.md has it
  std::string time_stamp;  ///< URL of an authority; empty: none
  bool time_stamp_required = false;
};

struct Signed {
  std::string message;  ///< DER or PEM
  Time time;
  AlgorithmNumbers algorithms;
  std::string warning;  ///< why there is no time stamp; or empty
};

/// The longest message that verify_message takes, in bytes; over data that is apart it takes 1 MiB.
inline constexpr std::size_t kMaxSignature = std::size_t{64} << 20;

/// Signs `data` with the identity's key. kUnsupported for keys that CMS has no signature for here. `config` says which
/// time stamp authorities are believed.
Result<Signed> sign_message(const Identity& identity, ByteView data, const SignRequest& request, const Config& config,
                            const Audit& audit);

enum class Verdict : std::uint8_t {
  kGood,
  kExpiredSince,   ///< good when it was made, by its own word; the certificate or one above it has expired since
  kAfterExpiry,    ///< made when the certificate had expired
  kBeforeValid,    ///< made when the certificate was not yet valid
  kUntrusted,      ///< good, and the signer leads to no root
  kRejected,       ///< good, and the chain forbids it
  kRevoked,        ///< good, and the certificate was revoked
  kBad,            ///< the data or the signature was changed
  kUnsupported,    ///< an algorithm that is not there, or not believed
  kNoCertificate,  ///< the signer's certificate is not in the signature, nor known here
};

/// Whether a program that only looks at the exit code may take it for good.
bool is_good(Verdict verdict);

struct SignatureReport {
  Verdict verdict = Verdict::kBad;
  std::string reason;       ///< empty for kGood
  X509Ptr signer;           ///< null for kNoCertificate
  std::string fingerprint;  ///< SHA-1, upper case; where the signer is unknown, its serial number or key identifier
  std::string subject;      ///< RFC 2253; empty where it is unknown
  std::optional<Time> signing_time;  ///< by the signer's own word
  std::optional<Time> stamped_time;  ///< by an authority that is trusted
  std::string note;                  ///< about a time stamp: whose, or why it does not count
  AlgorithmNumbers algorithms;

  Time time(Time now) const { return stamped_time ? *stamped_time : signing_time.value_or(now); }
};

/// Checks a signature, PEM or DER, over `data` (nothing: over what it contains). One report for each signer, at least
/// one. `known` are certificates that may be the signer's or its issuers'. kCorrupt where it is no CMS signature.
Result<std::vector<SignatureReport>> verify_message(ByteView signature, std::optional<ByteView> data,
                                                    const Trust& trust, const std::vector<CertificatePtr>& known,
                                                    Time now);

}  // namespace devtrust::cli
