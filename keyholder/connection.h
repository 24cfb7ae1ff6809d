// One client: PKCS#11 by p11-kit's protocol.
#pragma once

#include "identity/config.h"
#include "keyholder/peer.h"
#include "pkcs11/cryptoki.h"

namespace devtrust::keyholder {

/// Serves `socket` until the client closes it, sends what is not of the protocol, or reading is shut down. The calling
/// thread is this connection's alone. Audit lines name `peer`.
void serve(int socket, const Peer& peer, const Result<Config>& config);

/// What a connection calls: the module's functions, but for those that a client must not have as they are. It belongs
/// to the thread that calls: see ThreadInstance.
CK_FUNCTION_LIST* connection_functions();

/// The configuration that C_Initialize has in this thread. While it lives.
class ConnectionConfig {
 public:
  explicit ConnectionConfig(const Result<Config>& config);
  ~ConnectionConfig();
  ConnectionConfig(const ConnectionConfig&) = delete;
  ConnectionConfig& operator=(const ConnectionConfig&) = delete;
};

}  // namespace devtrust::keyholder
