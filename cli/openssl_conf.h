// openssl.cnf, and our provider in it.
#pragma once

#include <string>

#include "identity/result.h"

namespace devtrust::cli {

/// The file that libcrypto reads: OPENSSL_CONF's, else system_openssl_conf(). Empty where OPENSSL_CONF is.
std::string openssl_conf_file();
std::string system_openssl_conf();

/// Whether our provider is active, by what `openssl list -providers` says.
bool lists_devtrust(const std::string& providers);

/// Lines for the end of `file`, whose sections they fit (nothing there: the distributions' names); kInvalidConfig where
/// libcrypto cannot read it. They need no file but the provider's, without which libcrypto goes on.
Result<std::string> provider_lines(const std::string& file, const std::string& provider);

/// A whole file: `base`, where it is there, with these lines behind it. conf/openssl has the same to include by hand.
Result<std::string> openssl_conf(const std::string& base, const std::string& provider);

}  // namespace devtrust::cli
