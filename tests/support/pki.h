// A device-trust chain as an agent would make it, by the openssl command.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/command.h"

namespace devtrust::testing {

/// What one leaf is like. The defaults are a JumpCloud certificate in the middle of its 30 days.
struct LeafOptions {
  std::string key = "rsa:2048";  ///< rsa:BITS, rsa-pss:BITS, ec:P-256, ec:P-384, ec:P-521, ed25519, ed448
  std::string common_name = "JumpCloud Device Trust Certificate – 0A1B2C3D";
  std::string more_subject = {};  ///< further RDNs as openssl's -subj takes them, "/O=JumpCloud"
  std::string email = {};         ///< in subjectAltName; empty: none
  int valid_from_days = -10;      ///< from now
  int valid_to_days = 20;
  bool client_auth = true;
  std::string extra_extensions = {};  ///< further lines of the extension section
};

struct Leaf {
  std::filesystem::path certificate, key;  ///< PEM; the key is PKCS#8 without a password
  std::string common_name;
  /// A PKCS#12 file of key, leaf and chain; made on each call.
  std::filesystem::path pkcs12(const std::string& password, const std::string& nickname = {}) const;
  std::vector<std::filesystem::path> issuers;  ///< PEM, the intermediate first
};

/// Root and intermediate, and leaves under them. Names are JumpCloud's unless given.
class Pki {
 public:
  explicit Pki(std::filesystem::path folder, std::string key = "rsa:2048",
               std::string root_name = "JumpCloud Production Device Identification Root CA",
               std::string intermediate_name = "device-trust.intermediate");
  Leaf issue(const LeafOptions& options = {});
  std::filesystem::path root() const { return folder_ / "root.pem"; }
  std::filesystem::path intermediate() const { return folder_ / "intermediate.pem"; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  int issued_ = 0;
};

/// An NSS database made and changed by NSS's own tools.
class NssDatabase {
 public:
  /// certutil -N; an empty password means none.
  explicit NssDatabase(std::filesystem::path folder, std::string password = {});
  /// pk12util -i with the whole chain: nickname is the leaf's common name.
  void import(const Leaf& leaf);
  void add_certificate(const std::filesystem::path& pem, const std::string& nickname,
                       const std::string& trust = ",,") const;
  /// certutil -F: the key and its certificate.
  void remove(const std::string& nickname) const;
  /// certutil with -d and the password file; returns its output.
  std::string certutil(std::vector<std::string> arguments) const;
  const std::filesystem::path& folder() const { return folder_; }
  const std::string& password() const { return password_; }
  /// SHA-256 of both files, to show that nobody wrote.
  std::string digest() const;

 private:
  std::filesystem::path folder_;
  std::string password_;
};

}  // namespace devtrust::testing
