// The configuration, and what the stores hold.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "identity/audit.h"
#include "identity/catalog.h"
#include "identity/config.h"

namespace devtrust::cli {

/// Read once: a command lives for a moment.
struct Device {
  Config config;
  std::shared_ptr<const Snapshot> snapshot;
  std::shared_ptr<const Audit> audit;
};

/// kInvalidConfig, or a kind of store that this build does not have.
Result<Device> open_device();
/// The same with a configuration that was read already.
Result<Device> open_device(Config config);

/// Every identity, those that can be used before the others of their profile, the newest first.
std::vector<IdentityPtr> all_identities(const Snapshot& snapshot, Time now);

/// Lower-case hexadecimal.
std::string sha1_fingerprint(const Certificate& certificate);

/// The identity that a USER-ID means: `devtrust:` (of the first profile that has one) or `devtrust:PROFILE`; an e-mail
/// address, alone or as `Name <address>`; the last hexadecimal digits of the certificate's SHA-1 fingerprint, with or
/// without 0x. Where no certificate has the address, or nothing is named at all, `devtrust:` and a `note` that says so,
/// if sign.fallback allows it. Errors say why there is none that can be used now.
struct Signer {
  IdentityPtr identity;
  std::string note;
};
Result<Signer> find_signer(const Device& device, const std::string& user_id, Time now);

}  // namespace devtrust::cli
