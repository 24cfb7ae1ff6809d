// From a leaf to its root among certificates that may be anything.
#pragma once

#include <span>
#include <vector>

#include "identity/certificate.h"

namespace devtrust {

struct Chain {
  std::vector<CertificatePtr> issuers;  ///< the leaf's issuer first; the leaf itself is not in it
  bool complete = false;                ///< it ends in a self-signed root (a self-signed leaf is complete by itself)
  /// Where the chain stops there is a certificate of the right name, and its key did not make the signature: a
  /// look-alike or a damaged store. Such a leaf is never current.
  bool contradicted = false;

  /// Where the chain of `leaf` ends: the root, if it is complete.
  const Certificate& last(const Certificate& leaf) const { return issuers.empty() ? leaf : *issuers.back(); }
};

/// The best chain: complete before incomplete, valid at `time` before not, then shorter. A link counts only where names
/// match, the key identifiers do not contradict and the signature is good. Loops, duplicates, cross-signed issuers and
/// look-alikes are passed over; the number of signatures tried is bounded.
Chain build_chain(const Certificate& leaf, std::span<const CertificatePtr> candidates, Time time);

}  // namespace devtrust
