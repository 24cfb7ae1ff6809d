#include "cli/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "cli/output.h"

namespace devtrust::cli {
namespace {

constexpr std::size_t kMaxErrors = 65536;

class Pipe {
 public:
  Pipe() { open_ = pipe2(ends_.data(), O_CLOEXEC) == 0; }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  explicit operator bool() const { return open_; }
  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  void close_end(std::size_t end) {
    if (ends_.at(end) >= 0) close(ends_.at(end));
    ends_.at(end) = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
  bool open_ = false;
};

/// Reads both to their ends, whichever has something first.
void drain(Pipe& output, Pipe& errors, Ended& ended) {
  std::array<pollfd, 2> waiting{{{output.reading(), POLLIN, 0}, {errors.reading(), POLLIN, 0}}};
  std::array<char, 16384> buffer{};
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting.at(i).fd < 0 || waiting.at(i).revents == 0) continue;
      const ssize_t got = read(waiting.at(i).fd, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        waiting.at(i).fd = -1;
      } else if (i == 0) {
        ended.output.append(buffer.data(), static_cast<std::size_t>(got));
      } else if (ended.errors.size() < kMaxErrors) {
        ended.errors.append(buffer.data(), static_cast<std::size_t>(got));
      }
    }
  }
}

Result<pid_t> spawn(std::vector<std::string> argv, const posix_spawn_file_actions_t* actions) {
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (std::string& argument : argv) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_t process = 0;
  const int error = posix_spawnp(&process, arguments[0], actions, nullptr, arguments.data(), environ);
  if (error == 0) return process;
  return fail(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
              argv[0] + " cannot be started: " + std::strerror(error));
}

}  // namespace

Result<pid_t> start(const std::vector<std::string>& argv) { return spawn(argv, nullptr); }

Result<Ended> run(const std::vector<std::string>& argv, std::string_view given) {
  Pipe input, output, errors;
  if (!input || !output || !errors) return fail(ErrorCode::kInternal, std::string("no pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.reading(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.writing(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.writing(), STDERR_FILENO);
  // Before there is a reader: it fits into the pipe, and a program that does not read it is no SIGPIPE.
  write_all(input.writing(), given);
  input.close_end(1);
  const auto process = spawn(argv, &actions);
  posix_spawn_file_actions_destroy(&actions);
  if (!process) return fail(process);
  output.close_end(1);
  errors.close_end(1);
  Ended ended;
  drain(output, errors, ended);
  int status = 0;
  while (waitpid(*process, &status, 0) < 0 && errno == EINTR) {
  }
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

}  // namespace devtrust::cli
