#include "cli/setup/plan.h"

#include <cstring>

namespace devtrust::cli {

Result<void> Plan::put(const MarkedBlock& block, const std::string& path, std::string_view lines, Mode mode,
                       bool shared) {
  const auto before = read_if_there(path);
  if (!before) return fail(before);
  const auto after = block.with(*before, lines);
  if (!after) return fail(after.error().code, path + ": " + after.error().message);
  changes.push_back({path, *before, *after, mode, shared});
  return {};
}

Result<void> Plan::take(const MarkedBlock& block, const std::string& path, const Foreign& foreign) {
  const auto before = read_if_there(path);
  if (!before) return fail(before);
  if (!*before) return {};
  const auto after = block.without(**before, foreign);
  if (!after) return fail(after.error().code, path + ": " + after.error().message);
  if (*after == *before) return {};
  changes.push_back({path, *before, *after, 0644, false});
  done.push_back(path + (*after ? ": our lines were taken away" : ": deleted, since it was ours alone"));
  return {};
}

std::string quoted_word(std::string_view text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+@:";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (std::strchr("\"\\$`", c) != nullptr) out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace devtrust::cli
