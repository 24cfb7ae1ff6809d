// Whose signatures are believed: the roots of the configuration.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/openssl_types.h"
#include "identity/config.h"

namespace devtrust::cli {

/// Where the roots are that `devtrust setup` writes, and those of the administrator: read where verify.roots is not
/// set.
std::string user_roots_file();
std::string system_roots_file();

enum class ChainVerdict : std::uint8_t {
  kTrusted,
  kUnknownRoot,  ///< no way to a root of the configuration
  kRejected,     ///< there is a way, and something on it is wrong
  kRevoked,
};

struct ChainReport {
  ChainVerdict verdict = ChainVerdict::kUnknownRoot;
  std::string reason;  ///< empty where it is trusted
  Time valid_until;    ///< where it is trusted: when the first certificate of the chain expires
};

class Trust {
 public:
  /// Reads the files that `config` names, or the usual ones. A file, or a part of one, that cannot be read or believed
  /// is a problem. As long as there is one nobody is trusted: it may be the revocation list that is missing.
  static Trust load(const Config& config);

  const std::vector<std::string>& problems() const { return problems_; }

  /// verify.timestamp_roots names some.
  bool has_time_stamp_roots() const { return !time_stamp_roots_.certificates.empty(); }

  /// verify.timestamp_required
  bool wants_time_stamp() const { return time_stamp_required_; }

  /// Whether `leaf` leads to a root at `time` over `others`, which nobody vouches for, may sign, and is one that
  /// verify.allow names. `proven` is when an authority saw the signature: what was revoked later was good then.
  ChainReport check_signer(X509* leaf, STACK_OF(X509) * others, Time time, std::optional<Time> proven) const;

  /// A store of the roots of time stamp authorities, for checks at `time`. Throws std::bad_alloc.
  X509StorePtr time_stamp_store(Time time) const;

 private:
  struct Anchors {
    std::vector<X509Ptr> certificates;  // self-issued ones are roots, others complete chains
    std::vector<X509CrlPtr> lists;
  };
  void read(const std::string& path, bool must_exist, Anchors& into);
  void read_blocks(const std::string& path, ByteView text, Anchors& into);
  static X509StorePtr store_of(const std::vector<const Anchors*>& sets, Time time);

  bool allowed(STACK_OF(X509) * chain) const;

  Anchors roots_, time_stamp_roots_;
  Profile allowed_;  // verify.allow; without matches: everyone
  bool time_stamp_required_ = false;
  std::vector<std::string> problems_;
};

}  // namespace devtrust::cli
