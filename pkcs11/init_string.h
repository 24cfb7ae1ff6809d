// What a host passes in CK_C_INITIALIZE_ARGS.pReserved: NSS's library parameters, p11-kit's x-init-reserved.
#pragma once

#include <string>
#include <string_view>

#include "pkcs11/status.h"

namespace devtrust::pkcs11 {

struct InitOptions {
  std::string config;          ///< the one configuration file to read; empty: the usual ones
  bool chain_trusted = false;  ///< CKA_TRUSTED on the chain's certificates
};

/// `key=value` words between blanks; a value may stand in '…' or "…", where a backslash takes the next character as it
/// is. What it does not say stays as `options` has it. CKR_ARGUMENTS_BAD names the word that is not understood.
Answer<InitOptions> parse_init_string(std::string_view text, InitOptions options = {});

}  // namespace devtrust::pkcs11
