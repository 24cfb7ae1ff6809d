// What a person or a program reads from us.
#pragma once

#include <string>
#include <string_view>

namespace devtrust::cli {

/// Writes all of it to a descriptor; false where that fails (errno says why).
bool write_all(int descriptor, std::string_view text);

/// One line on standard error: the program's name and what is wrong.
void complain(std::string_view message);
/// The name that `complain` begins with: "devtrust" or "devtrust-smimesign".
void set_program(std::string_view name);
std::string_view program();

/// Text from a certificate or a file, fit for a terminal: what would move the cursor, end the line or turn the
/// direction of writing is shown as \u{…}. Invalid UTF-8 as \x{…}.
std::string printable(std::string_view text);

/// The same for a status line or another one-line protocol: also `%` and controls as %XX.
std::string percent_escaped(std::string_view text);

}  // namespace devtrust::cli
