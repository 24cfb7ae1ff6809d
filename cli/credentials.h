// The identity as other programs take it: by name, as files, or in their environment.
#pragma once

#include <string>
#include <vector>

#include "identity/result.h"

namespace devtrust::cli {

/// Each returns the process's exit code. `profile`: empty for the first one that has a current certificate.

/// What `pem` writes.
struct PemFiles {
  std::string profile, chain, key;
};
Result<PemFiles> pem_files(const std::string& profile);

/// chain.pem and key.pem in `folder`, each replaced at once; both to standard output where it is empty.
int pem(const std::string& profile, const std::string& folder);
/// The names to paste into configurations.
int uri(const std::string& profile);
/// Runs a program with the provider active and everything in its environment; its exit code, 127 where it is not there.
int execute(const std::string& profile, const std::vector<std::string>& command);

}  // namespace devtrust::cli
