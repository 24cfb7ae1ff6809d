// A pipe that no program inherits which is started meanwhile.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace devtrust::cli {

/// The end to read from, and the one to write to; false where there is none (errno says why). Not by pipe2, which macOS
/// has not: between the calls nobody else starts a program, since the command has one thread.
inline bool open_pipe(std::array<int, 2>& ends) {
  if (pipe(ends.data()) != 0) return false;
  for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  return true;
}

}  // namespace devtrust::cli
