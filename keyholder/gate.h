// Who may use the key, and for whom the others are left out.
#pragma once

#include <string>
#include <vector>

#include "identity/config.h"
#include "keyholder/peer.h"

namespace devtrust::keyholder {

/// Only this user, and root, who could become this user; of their programs those that `programs` names by path, where
/// it names any. That list is a convenience and no security boundary: whoever can run a program as this user can have
/// one that is listed do the work. kAccessDenied says who was refused and why.
Result<void> admit(const Peer& peer, uid_t self, const std::vector<std::string>& programs);

/// The base name for the audit line.
std::string name_for_audit(const Peer& peer);

/// The same without the stores that lead back here: other modules read them from the same file. Where none is left it
/// is the usual places.
Config without_own_stores(Config config);

}  // namespace devtrust::keyholder
