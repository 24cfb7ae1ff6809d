// One keychain, and what lies in it.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "backends/keychain/security.h"

namespace devtrust {

/// A keychain in a file, or the data-protection keychain. Immutable.
class KeychainPlace {
 public:
  /// `path`, with or without macOS' "-db" at its end: whichever is there. Empty: the data-protection keychain.
  explicit KeychainPlace(const std::string& path);

  bool is_file() const { return !paths_[0].empty(); }
  /// Both ways to write the file's name, the newer one first.
  const std::array<std::string, 2>& paths() const { return paths_; }
  /// Of the file that is there; empty where there is none. kOther with the reason where that cannot be seen.
  security::Outcome<std::string> path() const;
  /// For people.
  const std::string& name() const { return name_; }
  friend bool operator==(const KeychainPlace& a, const KeychainPlace& b) { return a.paths_ == b.paths_; }

  struct Item {
    security::Object object;  ///< an identity or a certificate
    Bytes der;                ///< of its certificate
  };
  /// Those of this keychain and no other: macOS' search may give what lies in others, too.
  security::Outcome<std::vector<Item>> items(security::ItemClass item_class, bool silent) const;
  /// Only for a file.
  security::Outcome<security::KeychainState> state() const;

 private:
  std::array<std::string, 2> paths_;
  std::string name_;
};

}  // namespace devtrust
