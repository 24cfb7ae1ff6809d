// `devtrust setup gpgsm`: the device's key as a smart card of gpgsm's, by way of gpg-agent and gnupg-pkcs11-scd.
#pragma once

#include "cli/setup/plan.h"
#include "identity/snapshot.h"

namespace devtrust::cli {

Result<Plan> plan_gpgsm_setup(const SetupOptions& options);
Result<Plan> plan_gpgsm_unsetup(const SetupOptions& options);

/// The daemon that stands in for GnuPG's scdaemon.
inline constexpr const char* kCardDaemon = "gnupg-pkcs11-scd";
/// Brings a new certificate into gpgsm's keyring. The daemons end first: the card daemon does not notice a renewal.
inline constexpr const char* kLearnCommand = "gpgconf --kill gpg-agent && gpgsm --learn-card";

/// gnupg-pkcs11-scd offers keys of no other kind.
bool usable_by_gpgsm(const Certificate& leaf);

/// What GnuPG's files say now.
struct GpgsmSettings {
  std::string card_daemon;  ///< scdaemon-program; empty: GnuPG's own
  std::string module;       ///< that gnupg-pkcs11-scd loads for us; empty: none
  std::string roots;        ///< the trust list

  bool trusts(const Certificate& root) const;
};
Result<GpgsmSettings> gpgsm_settings();

}  // namespace devtrust::cli
