#include "keyholder/connection.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/remote.h>

#include "identity/audit.h"
#include "identity/openssl.h"
#include "identity/trace.h"
#include "keyholder/gate.h"
#include "pkcs11/call.h"
#include "pkcs11/function_lists.h"

namespace devtrust::keyholder {
namespace {

// A table of functions has no room for more, but a connection is a thread.
constinit thread_local const Result<Config>* config_here = nullptr;

/// What the client passes is not looked at: it could name a configuration, and with that any module to be loaded here.
CK_RV initialize(void* /*arguments*/) {
  return pkcs11::call("C_Initialize", {}, []() -> pkcs11::Answer<> {
    // p11-kit's users find issuers by CKA_TRUSTED: see opened_for_p11_kit.
    auto initialized = pkcs11::initialize_library([] { return pkcs11::Library::open(*config_here, true); });
    if (initialized) use_libcrypto_once();
    return initialized;
  });
}

/// A connection answers its calls in turn: one that waits would hold up all others of that program.
CK_RV wait_for_slot_event(CK_FLAGS flags, CK_SLOT_ID* slot, void* reserved) {
  if ((flags & CKF_DONT_BLOCK) == 0) return CKR_FUNCTION_NOT_SUPPORTED;
  return pkcs11::function_list()->C_WaitForSlotEvent(flags, slot, reserved);
}

CK_FUNCTION_LIST make_functions() {
  CK_FUNCTION_LIST functions = *pkcs11::function_list();
  functions.C_Initialize = initialize;
  functions.C_WaitForSlotEvent = wait_for_slot_event;
  return functions;
}

}  // namespace

ConnectionConfig::ConnectionConfig(const Result<Config>& config) { config_here = &config; }
ConnectionConfig::~ConnectionConfig() { config_here = nullptr; }

CK_FUNCTION_LIST* connection_functions() {
  static CK_FUNCTION_LIST functions = make_functions();
  return &functions;
}

void serve(int socket, const Peer& peer, const Result<Config>& config) {
  const KeyUser user{name_for_audit(peer), static_cast<std::uint32_t>(peer.process), std::to_string(peer.user)};
  const ActingFor acting(user);
  const ConnectionConfig configured(config);
  // Sessions and logins are one connection's, as PKCS#11 has them one application's: a password that one program gave
  // opens the key to no other, and what one ends stays for the others.
  const pkcs11::ThreadInstance own;
  const int ended = p11_kit_remote_serve_module(connection_functions(), socket, socket);
  if (ended != 0 && trace_enabled()) trace("the connection of " + user.program + " ended with an error");
}

}  // namespace devtrust::keyholder
