// What a person or a program reads from us.
#pragma once

#include <string>
#include <string_view>

#include "cli/streams.h"

namespace devtrust::cli {

/// What was asked for, on standard output, and `code`; where it cannot be written 1, after a complaint.
int print_answer(std::string_view text, int code = 0);

/// One line on standard error: the program's name and what is wrong.
void complain(std::string_view message);
/// From now on `complain` writes to the terminal as well, where standard error is not one: git keeps what its signing
/// program writes there to itself (2.39 even when signing failed).
void complain_to_terminal_as_well();
/// The name that `complain` begins with: "devtrust" or "devtrust-smimesign".
void set_program(std::string_view name);
std::string_view program();

/// Text from a certificate or a file, fit for a terminal: what would move the cursor, end the line or turn the
/// direction of writing is shown as \u{…}. Invalid UTF-8 as \x{…}.
std::string printable(std::string_view text);

/// The same for a status line or another one-line protocol: also `%` and controls as %XX.
std::string percent_escaped(std::string_view text);

/// Colours, where a person reads: a terminal that has them, and no NO_COLOR.
class Style {
 public:
  static Style of(int descriptor);
  std::string strong(std::string_view text) const { return paint("1", text); }
  std::string good(std::string_view text) const { return paint("32", text); }
  std::string bad(std::string_view text) const { return paint("31", text); }

 private:
  explicit Style(bool colour) : colour_(colour) {}
  std::string paint(std::string_view code, std::string_view text) const;
  bool colour_;
};

/// Lines of at most 80 columns, each `indent` columns in, broken between words (a word that is longer stays whole);
/// ends with a newline.
std::string wrapped(std::string_view text, std::size_t indent);

}  // namespace devtrust::cli
