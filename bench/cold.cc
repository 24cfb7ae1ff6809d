// One fresh process of one client: how long each step takes until something is reached. `bench/run` starts it again and
// again, and reads the lines "NAME VALUE": microseconds, but for the memory, which is KiB.
//
// cold CLOCK GOAL TYPE MODULE PARAMETERS PIN [ARGUMENT]; CLOCK: wall, cpu; TYPE: rsa, ec; GOAL:
//   sign           two signatures: of the first one all is made that the next ones use
//   identity FILE  the key and its certificate, and once more after FILE's modification time has changed
//   search N       the time of one search after many
//   signatures N   the time of one signature after many
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "bench/token.h"

namespace {

using devtrust::bench::die;
using devtrust::bench::KeyType;
using devtrust::bench::Token;

clockid_t clock_id = CLOCK_MONOTONIC;

double microseconds() {
  timespec now{};
  clock_gettime(clock_id, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

/// Calls `step`, prints how long it took, and returns it.
template <typename Step>
double timed(const char* name, const Step& step) {
  const double start = microseconds();
  step();
  const double time = microseconds() - start;
  std::printf("%s %.2f\n", name, time);
  return time;
}

/// KiB, of this process.
long resident() {
  std::FILE* status = std::fopen("/proc/self/status", "re");
  if (status == nullptr) die("/proc/self/status", "it cannot be read");
  std::array<char, 256> line{};
  long kib = 0;
  while (std::fgets(line.data(), static_cast<int>(line.size()), status) != nullptr) {
    if (std::strncmp(line.data(), "VmRSS:", 6) == 0) kib = std::strtol(line.data() + 6, nullptr, 10);
  }
  (void)std::fclose(status);
  return kib;
}

/// As if somebody had written to `file` ten minutes ago; never the same time as before.
void change(const char* file) {
  struct stat status {};
  if (stat(file, &status) != 0) die(file, "it cannot be found");
  std::array<timespec, 2> times = {status.st_atim, status.st_mtim};
  times[1].tv_sec -= 600;
  if (utimensat(AT_FDCWD, file, times.data(), 0) != 0) die(file, "its time cannot be set");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) die("cold", "CLOCK GOAL TYPE MODULE PARAMETERS PIN [ARGUMENT]");
  if (std::strcmp(argv[1], "cpu") == 0) clock_id = CLOCK_PROCESS_CPUTIME_ID;
  const char* goal = argv[2];
  const char* argument = argc > 7 ? argv[7] : "";
  Token token(std::strcmp(argv[3], "rsa") == 0 ? KeyType::kRsa : KeyType::kEc);

  const double begin = microseconds();
  timed("load", [&] { token.load(argv[4]); });
  timed("initialize", [&] { token.initialize(argv[5]); });
  timed("list", [&] { token.list_slots(); });
  timed("find", [&] { token.find_key(argv[6]); });
  if (std::strcmp(goal, "sign") == 0) {
    timed("first", [&] { token.sign(token.session()); });
    std::printf("total %.2f\nresident %ld\n", microseconds() - begin, resident());
    timed("second", [&] { token.sign(token.session()); });
  } else if (std::strcmp(goal, "identity") == 0) {
    token.find_certificate();
    std::printf("total %.2f\n", microseconds() - begin);
    change(argument);
    timed("again", [&] {
      token.find_key(argv[6]);
      token.find_certificate();
    });
  } else if (std::strcmp(goal, "search") == 0) {
    const long count = std::strtol(argument, nullptr, 10);
    const double start = microseconds();
    for (long i = 0; i < count; ++i) token.count_certificates();
    std::printf("search %.3f\n", (microseconds() - start) / static_cast<double>(count));
  } else if (std::strcmp(goal, "signatures") == 0) {
    const long count = std::strtol(argument, nullptr, 10);
    token.sign(token.session());  // the key is decrypted for this one
    std::printf("total %.2f\n", microseconds() - begin);
    const double start = microseconds();
    for (long i = 0; i < count; ++i) token.sign(token.session());
    std::printf("signature %.3f\n", (microseconds() - start) / static_cast<double>(count));
  } else {
    die(goal, "there is no such goal");
  }
  token.finalize();
}
