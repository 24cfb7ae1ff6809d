#include "identity/chain.h"

#include <algorithm>

namespace devtrust {
namespace {

constexpr std::size_t kMaxDepth = 8;
constexpr int kMaxSignatureChecks = 64;

class Builder {
 public:
  Builder(std::span<const CertificatePtr> candidates, Time time) : candidates_(candidates), time_(time) {}

  Chain build(const Certificate& leaf) {
    visit(leaf);
    return best_.value_or(Chain{});
  }

 private:
  void visit(const Certificate& subject) {
    if (subject.self_issued() && check(subject, subject)) {
      offer(true, false);
      return;
    }
    bool named = false;
    bool linked = false;
    if (path_.size() < kMaxDepth) {
      for (const CertificatePtr& candidate : candidates_) {
        if (!equal(candidate->subject(), subject.issuer()) || used(*candidate, subject) ||
            key_ids_contradict(subject, *candidate)) {
          continue;
        }
        if (!check(subject, *candidate)) {
          named = true;
          continue;
        }
        linked = true;
        path_.push_back(candidate);
        visit(*candidate);
        path_.pop_back();
      }
    }
    if (!linked) offer(false, named);
  }

  static bool key_ids_contradict(const Certificate& subject, const Certificate& issuer) {
    return subject.authority_key_id() && issuer.subject_key_id() &&
           *subject.authority_key_id() != *issuer.subject_key_id();
  }

  /// Loops are found by name and key, so that a renewed or cross-signed twin does not make a longer way round.
  bool used(const Certificate& candidate, const Certificate& subject) const {
    const auto same = [&candidate](const Certificate& other) {
      return equal(candidate.subject(), other.subject()) && candidate.public_key() == other.public_key();
    };
    return same(subject) || std::ranges::any_of(path_, [&same](const CertificatePtr& other) { return same(*other); });
  }

  bool check(const Certificate& subject, const Certificate& issuer) {
    return checks_++ < kMaxSignatureChecks && subject.signed_by(issuer);
  }

  void offer(bool complete, bool contradicted) {
    const bool valid = std::ranges::all_of(path_, [this](const CertificatePtr& c) { return c->valid_at(time_); });
    const auto rank = [](const Chain& chain, bool all_valid) {
      return std::tuple(
          chain.complete, !chain.contradicted, all_valid,
          chain.complete ? -static_cast<long>(chain.issuers.size()) : static_cast<long>(chain.issuers.size()));
    };
    Chain chain{path_, complete, contradicted};
    if (!best_ || rank(chain, valid) > rank(*best_, best_valid_)) {
      best_ = std::move(chain);
      best_valid_ = valid;
    }
  }

  std::span<const CertificatePtr> candidates_;
  Time time_;
  std::vector<CertificatePtr> path_;
  std::optional<Chain> best_;
  bool best_valid_ = false;
  int checks_ = 0;
};

}  // namespace

Chain build_chain(const Certificate& leaf, std::span<const CertificatePtr> candidates, Time time) {
  return Builder(candidates, time).build(leaf);
}

}  // namespace devtrust
