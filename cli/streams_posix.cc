#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "cli/streams.h"

namespace devtrust::cli {

// Where a caller has closed one of the first three descriptors, the next file that is opened would take its place, and
// a database be read as the data, or written over by a message. What stands there now fails as a closed one does.
void prepare_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    if (open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) _exit(1);
  }
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::ptrdiff_t read_some(int descriptor, std::uint8_t* buffer, std::size_t size) {
  ssize_t got = 0;
  do {
    got = read(descriptor, buffer, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

bool may_be_written(int descriptor) {
  const int mode = fcntl(descriptor, F_GETFL);
  if (mode >= 0 && (mode & O_ACCMODE) == O_RDONLY) errno = EBADF;
  return mode >= 0 && (mode & O_ACCMODE) != O_RDONLY;
}

bool is_terminal(int descriptor) { return isatty(descriptor) == 1; }

bool has_colours(int descriptor) {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb" && is_terminal(descriptor);
}

void write_to_terminal(std::string_view text) {
  const int terminal = open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) return;
  write_all(terminal, text);
  close(terminal);
}

}  // namespace devtrust::cli
