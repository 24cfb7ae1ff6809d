// Keychains as Security.framework's double reads them (security_double/double.h).
#pragma once

#include <string>
#include <vector>

#include "tests/support/pki.h"

namespace devtrust::testing {

/// One keychain's file; written anew, and renamed into its place, at each change.
class KeychainFile {
 public:
  explicit KeychainFile(std::filesystem::path path);
  /// The leaf, its key and its issuers.
  void add(const Leaf& leaf);
  void add_certificate(const std::filesystem::path& pem);
  /// A key of anybody's.
  void add_key(const std::filesystem::path& pem);
  /// The leaf and its key.
  void remove(const Leaf& leaf);
  /// In place of those before.
  void set(std::vector<std::string> settings);
  const std::filesystem::path& path() const { return path_; }

 private:
  void put(const std::filesystem::path& pem);
  void write() const;
  std::filesystem::path path_;
  std::vector<std::string> settings_, items_;
};

}  // namespace devtrust::testing
