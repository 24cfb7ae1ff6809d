// Loaded into every program of a machine (ld.so.preload), for homes that do what no test can have of the system: one
// whose file server has gone, so that whoever enters it waits for ever, and some whose owner answers in the place of a
// process that has that user's rights.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

extern "C" __attribute__((visibility("default"))) int chdir(const char* path) noexcept {
  const std::string home = path;
  if (home.ends_with("/hangs")) {
    for (;;) pause();
  }
  if (home.ends_with(".lies")) {
    const int file = open((home + "/answer").c_str(), O_RDONLY | O_CLOEXEC);
    std::array<char, 65536> buffer{};
    ssize_t got = 0;
    while ((got = read(file, buffer.data(), buffer.size())) > 0) {
      if (write(STDOUT_FILENO, buffer.data(), static_cast<std::size_t>(got)) != got) break;
    }
    _exit(0);
  }
  using Function = int (*)(const char*);
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "chdir"));
  return next(path);
}
