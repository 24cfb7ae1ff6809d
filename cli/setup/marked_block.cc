#include "cli/setup/marked_block.h"

#include <fmt/format.h>

namespace devtrust::cli {
namespace {

// What the first mark says of the file before us.
constexpr std::string_view kNewFile = " (this file is new)";
constexpr std::string_view kNoNewline = " (the line before had no end)";

std::string begin_mark(const std::string& target) {
  return fmt::format("# >>> devtrust setup {0}: taken away by `devtrust unsetup {0}`", target);
}
std::string end_mark(const std::string& target) { return fmt::format("# <<< devtrust setup {}\n", target); }

/// Where `mark` begins a line; npos where it does not.
std::size_t find_line(std::string_view text, std::string_view mark, std::size_t from = 0) {
  for (std::size_t at = text.find(mark, from); at != std::string_view::npos; at = text.find(mark, at + 1)) {
    if (at == 0 || text[at - 1] == '\n') return at;
  }
  return std::string_view::npos;
}

}  // namespace

struct MarkedBlock::Place {
  std::size_t begin = 0, inside = 0, end = 0, after = 0;  // of the first mark, the lines, the last mark, and behind it
  std::string_view said;                                  // by the first mark, of the file before
};

Result<std::optional<MarkedBlock::Place>> MarkedBlock::locate(std::string_view text) const {
  const std::string begin = begin_mark(target_);
  const std::string end = end_mark(target_);
  Place place;
  place.begin = find_line(text, begin);
  place.end = find_line(text, end, place.begin == std::string_view::npos ? 0 : place.begin);
  if (place.begin == std::string_view::npos && place.end == std::string_view::npos) return std::optional<Place>();
  if (place.begin == std::string_view::npos || place.end == std::string_view::npos) {
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("one of the two comments between which `devtrust setup {0}` keeps its lines is not there any "
                    "more: take the other one (\"devtrust setup {0}\") and our lines out by hand",
                    target_));
  }
  const std::size_t line_end = text.find('\n', place.begin);
  place.said = text.substr(place.begin + begin.size(), line_end - place.begin - begin.size());
  place.inside = line_end + 1;
  place.after = place.end + end.size();
  return std::optional(place);
}

Result<std::optional<std::string>> MarkedBlock::find(std::string_view text) const {
  const auto place = locate(text);
  if (!place) return fail(place);
  if (!*place) return std::optional<std::string>();
  return std::optional(std::string(text.substr((*place)->inside, (*place)->end - (*place)->inside)));
}

Result<std::string> MarkedBlock::with(std::optional<std::string_view> text, std::string_view lines) const {
  const std::string_view before = text.value_or("");
  const auto place = locate(before);
  if (!place) return fail(place);
  if (*place) {
    return std::string(before.substr(0, (*place)->inside)).append(lines).append(before.substr((*place)->end));
  }
  const bool unfinished = !before.empty() && before.back() != '\n';
  std::string out(before);
  if (unfinished) out += '\n';
  out += begin_mark(target_);
  if (!text) out += kNewFile;
  if (unfinished) out += kNoNewline;
  return out.append("\n").append(lines).append(end_mark(target_));
}

Result<std::optional<std::string>> MarkedBlock::without(
    std::string_view text, const std::function<std::string(std::string_view)>& foreign) const {
  const auto place = locate(text);
  if (!place) return fail(place);
  if (!*place) return std::optional(std::string(text));
  const Place& found = **place;
  const std::string kept = foreign ? foreign(text.substr(found.inside, found.end - found.inside)) : std::string();
  std::string out(text.substr(0, found.begin));
  const std::string_view rest = text.substr(found.after);
  if (found.said == kNoNewline && kept.empty() && rest.empty() && !out.empty()) out.pop_back();
  out.append(kept).append(rest);
  if (out.empty() && found.said == kNewFile) return std::optional<std::string>();
  return std::optional(out);
}

}  // namespace devtrust::cli
