// The standard streams and the terminal, as the operating system has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace devtrust::cli {

inline constexpr int kStandardInput = 0, kStandardOutput = 1, kStandardError = 2;

/// First of all: what is written and read stays as it is, and no file that is opened takes the place of a standard
/// descriptor that the caller has closed.
void prepare_streams();

/// Writes all of it to a descriptor; false where that fails (errno says why).
bool write_all(int descriptor, std::string_view text);
/// How many bytes were read: 0 at the end, -1 where that fails (errno says why).
std::ptrdiff_t read_some(int descriptor, std::uint8_t* buffer, std::size_t size);
/// Whether it is open, and for writing; where not, errno says why.
bool may_be_written(int descriptor);

bool is_terminal(int descriptor);
/// A terminal that paints what is between escape sequences.
bool has_colours(int descriptor);
/// To the person's terminal, whatever the standard streams are; nothing where there is none.
void write_to_terminal(std::string_view text);

}  // namespace devtrust::cli
