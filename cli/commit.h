// A commit as git stores it, and the signature in its header.
#pragma once

#include <string>
#include <string_view>

namespace devtrust::cli {

struct SignedCommit {
  std::string payload;    ///< what was signed: the commit without its signatures
  std::string signature;  ///< empty where there is none
  std::string author;     ///< "Name <address>"
  std::string committer;
};

/// `text` is what `git cat-file commit` gives, `id` its name, whose length says which signature is this repository's.
SignedCommit parse_commit(std::string_view text, std::string_view id);

}  // namespace devtrust::cli
