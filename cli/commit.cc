#include "cli/commit.h"

namespace devtrust::cli {
namespace {

constexpr std::size_t kSha1Digits = 40;

/// "Name <address>" of "author Name <address> 1700000000 +0000".
std::string person(std::string_view line, std::string_view header) {
  line.remove_prefix(header.size());
  const std::size_t end = line.rfind('>');
  return std::string(line.substr(0, end == std::string_view::npos ? line.find('\n') : end + 1));
}

}  // namespace

SignedCommit parse_commit(std::string_view text, std::string_view id) {
  const std::string_view ours = id.size() == kSha1Digits ? "gpgsig " : "gpgsig-sha256 ";
  SignedCommit commit;
  enum class Part { kOther, kSignature, kForeignSignature } part = Part::kOther;
  while (!text.empty() && text[0] != '\n') {
    const std::string_view line = text.substr(0, text.find('\n') + 1);
    const std::string_view whole = line.empty() ? text : line;  // the last one may have no end
    text.remove_prefix(whole.size());
    if (whole[0] != ' ' || part == Part::kOther) {
      // Lines that go on belong to the header before them; a repository may hold signatures for its other hash, too.
      part = whole.starts_with(ours)       ? Part::kSignature
             : whole.starts_with("gpgsig") ? Part::kForeignSignature
                                           : Part::kOther;
      if (part == Part::kSignature) commit.signature += whole.substr(ours.size());
    } else if (part == Part::kSignature) {
      commit.signature += whole.substr(1);
    }
    if (part != Part::kOther) continue;
    commit.payload += whole;
    if (whole.starts_with("author ")) commit.author = person(whole, "author ");
    if (whole.starts_with("committer ")) commit.committer = person(whole, "committer ");
  }
  commit.payload += text;
  return commit;
}

}  // namespace devtrust::cli
