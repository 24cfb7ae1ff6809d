// Keychains: files as Security.framework's double reads them (security_double/double.h), on macOS its own.
#pragma once

#include <string>
#include <vector>

#include "tests/support/pki.h"

namespace devtrust::testing {

/// One keychain's file. Of the double's: written anew, and renamed into its place, at each change. macOS' own is
/// deleted with this object, and takes no settings.
class KeychainFile {
 public:
  explicit KeychainFile(std::filesystem::path path);
  ~KeychainFile();
  KeychainFile(const KeychainFile&) = delete;
  KeychainFile& operator=(const KeychainFile&) = delete;
  /// The leaf, its key and its issuers.
  void add(const Leaf& leaf);
  void add_certificate(const std::filesystem::path& pem);
  /// A key of anybody's.
  void add_key(const std::filesystem::path& pem);
  /// The leaf and its key.
  void remove(const Leaf& leaf);
  /// In place of those before.
  void set(std::vector<std::string> settings);
  /// A search in this one gives the other's items, too, where that can be brought about.
  void search_also(const KeychainFile& other);
  const std::filesystem::path& path() const { return path_; }

 private:
  void put(const std::filesystem::path& pem);
  void write() const;
  std::filesystem::path path_;
  std::vector<std::string> settings_, items_;
};

}  // namespace devtrust::testing
