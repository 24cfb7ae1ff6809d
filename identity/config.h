// The configuration: TOML, design and meaning in docs/configuration.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "identity/profile.h"
#include "identity/result.h"

namespace devtrust {

struct StoreConfig {
  std::string kind;        ///< nss | keychain | windows | token | file
  std::string path;        ///< `~/` is expanded
  std::string key_path;    ///< file stores: the key, where it is not in `path`
  std::string pin_source;  ///< "file:/path", or empty
  bool prompt = false;
  std::string token = {};      ///< token stores: its label, or a pkcs11: URI; empty: the module's only one
  std::string init_args = {};  ///< token stores: what the module's C_Initialize is given as pReserved
};

struct Config {
  std::vector<std::string> files;  ///< that were read, in order
  std::string trace;               ///< a path, "1" for standard error, or empty
  std::string audit;               ///< a path, "syslog:", "journal:", "eventlog:", or empty
  bool audit_required = false;
  std::vector<StoreConfig> stores;  ///< empty: the platform's usual places
  std::vector<Profile> profiles;    ///< never empty: the built-in ones where the files name none
  struct {
    std::string timestamp;  ///< URL of an RFC 3161 authority, or empty
    bool timestamp_required = false;
    int include_certs = -2;
    bool fallback = true;
  } sign;
  struct {
    std::vector<std::string> roots;  ///< empty: the usual files
    std::vector<std::string> timestamp_roots;
    bool timestamp_required = false;
    std::vector<Match> allow;  ///< empty: everyone who leads to a root
  } verify;
  struct {
    std::vector<std::string> urls;
  } browser;
  struct {
    std::vector<std::string> programs;
  } keyholder;
};

/// `file` (from a module's init string) or, where it is empty, DEVTRUST_CONFIG's one file, or /etc/devtrust/config.toml
/// and then $XDG_CONFIG_HOME/devtrust/config.toml over it. A file that was named must exist; the usual ones need not.
/// kInvalidConfig names file, line, column and what was expected; a file is refused, too, where others than root and
/// the user may change it or its folder.
Result<Config> load_config(const std::string& file = {});

/// What load_config does once it knows the files, later ones over earlier ones. Those that need not exist are passed
/// over where they are missing.
Result<Config> load_config_files(const std::vector<std::string>& files, bool must_exist);

/// One file's text, for tests and fuzzing; `path` is what messages call it.
Result<Config> parse_config(std::string_view text, const std::string& path);

/// The password that a `pin_source` names: "file:/path" (one trailing newline is dropped; at most 4 KiB; refused where
/// others may change it, as a configuration is).
Result<SecureBytes> read_pin_source(const std::string& pin_source);

}  // namespace devtrust
