// smimesign's command line: what git runs as gpg.x509.program, and `devtrust sign` and `devtrust verify`.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace devtrust::cli {

struct SmimesignOptions {
  bool sign = false, verify = false, list_keys = false;
  std::string local_user = "devtrust:";  ///< as find_signer takes it
  bool detach_sign = false, armor = false;
  int status_fd = -1;                    ///< -1: no status lines
  std::optional<std::string> timestamp;  ///< URL; unset: the configuration's
  std::optional<int> include_certs;      ///< unset: the configuration's
  std::vector<std::string> files;        ///< "-" is standard input
};

/// Each returns the process's exit code: 0, or 1 with one line on standard error that says why.
int sign(const SmimesignOptions& options);
int verify(const SmimesignOptions& options);
int list_keys();

/// The options that sign takes, for any command line.
void add_sign_options(CLI::App& app, SmimesignOptions& options);
void add_status_option(CLI::App& app, SmimesignOptions& options);

/// The whole of devtrust-smimesign.
int smimesign_main(int argc, char** argv);

}  // namespace devtrust::cli
