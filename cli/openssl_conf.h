// openssl.cnf, and our provider in it.
#pragma once

#include <string>

#include "identity/result.h"

namespace devtrust::cli {

/// The file that libcrypto reads: OPENSSL_CONF's, else system_openssl_conf(). Empty where OPENSSL_CONF is.
std::string openssl_conf_file();
std::string system_openssl_conf();

/// The openssl program to ask, a name or a path: the first on PATH, on macOS the first that has providers. Empty where
/// there is none; run() says so.
std::string openssl_program();
/// What to do for one; empty where the system's packages have it.
extern const char* const kHowToGetOpenssl;
/// By what `openssl version` says: not LibreSSL, nor an OpenSSL before 3.
bool has_providers(const std::string& version);
/// The configuration in the folder that `openssl version -d` names; empty where it names none.
std::string conf_file_in(const std::string& version);

/// Whether our provider is active, by what `openssl list -providers` says.
bool lists_devtrust(const std::string& providers);

/// Lines for the end of `file`, whose sections they fit (nothing there: the distributions' names); kInvalidConfig where
/// libcrypto cannot read it. They need no file but the provider's, without which libcrypto goes on.
Result<std::string> provider_lines(const std::string& file, const std::string& provider);

/// A whole file: `base`, where it is there, with these lines behind it. conf/openssl has the same to include by hand.
Result<std::string> openssl_conf(const std::string& base, const std::string& provider);

}  // namespace devtrust::cli
