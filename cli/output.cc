#include "cli/output.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include <fmt/format.h>

namespace devtrust::cli {
namespace {

bool terminal_as_well = false;

std::string& program_storage() {
  static std::string name = "devtrust";
  return name;
}

/// The character that begins at `at` and its length in bytes; length 0 where it is no UTF-8.
struct Character {
  std::uint32_t point = 0;
  std::size_t length = 0;
};

Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&text, at](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (length == 0 || first >= 0xF5 || at + length > text.size()) return {};
  std::uint32_t point = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    point = point << 6U | (byte(i) & 0x3FU);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  if (overlong || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return {};
  return {point, length};
}

/// Controls, line and paragraph separators, and what nobody sees: Unicode's format characters, which turn the direction
/// of writing or make two names look the same, and its blank letters.
bool is_unsafe(std::uint32_t point) {
  struct Span {
    std::uint32_t first, last;
  };
  static constexpr std::array<Span, 27> kUnsafe{
      {{0x0000, 0x001F},   {0x007F, 0x009F},   {0x00AD, 0x00AD},   {0x034F, 0x034F},   {0x0600, 0x0605},
       {0x061C, 0x061C},   {0x06DD, 0x06DD},   {0x070F, 0x070F},   {0x0890, 0x0891},   {0x08E2, 0x08E2},
       {0x115F, 0x1160},   {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},
       {0x2060, 0x206F},   {0x3164, 0x3164},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
       {0xFFF0, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x1345F}, {0x1BCA0, 0x1BCA3},
       {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}}};
  return std::ranges::any_of(kUnsafe, [point](Span span) { return span.first <= point && point <= span.last; });
}

/// Copies what is safe; `escape` is given the bytes of each other character, and its point (or nothing).
template <typename Escape>
std::string escaped(std::string_view text, Escape escape) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    const std::size_t length = character.length == 0 ? 1 : character.length;
    out += escape(text.substr(at, length), character);
    at += length;
  }
  return out;
}

/// How many columns a terminal gives a character: East Asia's letters two, marks that go over another none.
std::size_t columns_of(std::uint32_t point) {
  struct Span {
    std::uint32_t first, last;
    std::size_t columns;
  };
  static constexpr std::array<Span, 13> kSpans{{{0x0300, 0x036F, 0},
                                                {0x1100, 0x115F, 2},
                                                {0x20D0, 0x20FF, 0},
                                                {0x2E80, 0x303E, 2},
                                                {0x3041, 0xA4CF, 2},
                                                {0xAC00, 0xD7A3, 2},
                                                {0xF900, 0xFAFF, 2},
                                                {0xFE30, 0xFE6F, 2},
                                                {0xFF00, 0xFF60, 2},
                                                {0xFFE0, 0xFFE6, 2},
                                                {0x1F300, 0x1F64F, 2},
                                                {0x1F900, 0x1F9FF, 2},
                                                {0x20000, 0x3FFFD, 2}}};
  const auto* found =
      std::ranges::find_if(kSpans, [point](const Span& span) { return span.first <= point && point <= span.last; });
  return found != kSpans.end() ? found->columns : 1;
}

/// Of text that is UTF-8 or has our colours in it.
std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("\x1b[")) {
      at = std::min(text.find('m', at), text.size() - 1) + 1;
      continue;
    }
    const Character character = character_at(text, at);
    at += std::max<std::size_t>(1, character.length);
    columns += columns_of(character.point);
  }
  return columns;
}

}  // namespace

int print_answer(std::string_view text, int code) {
  if (write_all(kStandardOutput, text)) return code;
  complain("the answer cannot be written to standard output");
  return 1;
}

void set_program(std::string_view name) { program_storage() = name; }
std::string_view program() { return program_storage(); }

void complain(std::string_view message) {
  const std::string line = fmt::format("{}: {}\n", program(), printable(message));
  write_all(kStandardError, line);
  if (terminal_as_well) write_to_terminal(line);
}

void complain_to_terminal_as_well() { terminal_as_well = !is_terminal(kStandardError); }

std::string printable(std::string_view text) {
  return escaped(text, [](std::string_view bytes, Character character) {
    if (character.length == 0) return fmt::format("\\x{{{:02x}}}", static_cast<unsigned char>(bytes[0]));
    return is_unsafe(character.point) ? fmt::format("\\u{{{:04x}}}", character.point) : std::string(bytes);
  });
}

std::string percent_escaped(std::string_view text) {
  return escaped(text, [](std::string_view bytes, Character character) {
    if (character.length != 0 && !is_unsafe(character.point) && bytes != "%") return std::string(bytes);
    std::string out;
    for (const char byte : bytes) out += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    return out;
  });
}

Style Style::of(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const bool plain = no_color != nullptr && *no_color != '\0';
  return Style(!plain && has_colours(descriptor));
}

std::string Style::paint(std::string_view code, std::string_view text) const {
  return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string wrapped(std::string_view text, std::size_t indent) {
  constexpr std::size_t kColumns = 80;
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t width = columns_of(word);
    if (column == 0) {
      out.append(indent, ' ');
      column = indent + width;
    } else if (column + 1 + width > kColumns) {
      out.append("\n").append(indent, ' ');
      column = indent + width;
    } else {
      out += ' ';
      column += 1 + width;
    }
    out += word;
  }
  return out + '\n';
}

}  // namespace devtrust::cli
