#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "cli/exec_pointers.h"
#include "cli/pipe.h"
#include "cli/subprocess.h"

extern "C" char** environ;  // NOLINT(readability-redundant-declaration): no header of macOS declares it

namespace devtrust::cli {
namespace {

constexpr std::size_t kMaxErrors = 65536;

class Pipe {
 public:
  Pipe() { open_ = open_pipe(ends_); }
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

/// Writes `given` and reads both others to their ends, whichever is ready first.
void exchange(Pipe& input, std::string_view given, Pipe& output, Pipe& errors, Ended& ended) {
  fcntl(input.writing(), F_SETFL, O_NONBLOCK);
  std::array<pollfd, 3> waiting{
      {{output.reading(), POLLIN, 0}, {errors.reading(), POLLIN, 0}, {input.writing(), POLLOUT, 0}}};
  std::array<char, 16384> buffer{};
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    if (given.empty() && waiting[2].fd >= 0) {
      waiting[2].fd = -1;
      input.close_end(1);
    }
    if (poll(waiting.data(), static_cast<nfds_t>(waiting.size()), -1) < 0 && errno != EINTR) return;
    if (waiting[2].fd >= 0 && waiting[2].revents != 0) {
      const ssize_t written = write(input.writing(), given.data(), given.size());
      if (written > 0) given.remove_prefix(static_cast<std::size_t>(written));
      if (written < 0 && errno != EAGAIN && errno != EINTR) given = {};  // it does not want more
    }
    for (std::size_t i = 0; i < 2; ++i) {
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

/// Our own, with these in the place of those that have the same name.
std::vector<std::string> environment_with(const Variables& variables) {
  std::vector<std::string> all;
  for (char** own = environ; *own != nullptr; ++own) {
    const std::string_view text = *own;
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::none_of(variables, [name](const auto& variable) { return variable.first == name; }))
      all.emplace_back(text);
  }
  for (const auto& [name, value] : variables) all.emplace_back(name).append(1, '=').append(value);
  return all;
}

Result<pid_t> spawn(std::vector<std::string> argv, const Variables& variables,
                    const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* attributes) {
  const std::vector<char*> arguments = exec_pointers(argv);
  std::vector<std::string> settings = environment_with(variables);
  const std::vector<char*> environment = exec_pointers(settings);
  pid_t process = 0;
  const int error = posix_spawnp(&process, arguments[0], actions, attributes, arguments.data(), environment.data());
  if (error == 0) return process;
  return fail(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kAccessDenied,
              argv[0] + " cannot be started: " + std::strerror(error));
}

int wait_for(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

volatile pid_t running = 0;  // whom `pass_on` passes a signal on to

void pass_on(int signal) {
  if (running > 0) kill(running, signal);
}

}  // namespace

Result<Ended> run(const std::vector<std::string>& argv, std::string_view given, const Variables& variables) {
  Pipe input;
  Pipe output;
  Pipe errors;
  if (!input || !output || !errors) return fail(ErrorCode::kInternal, std::string("no pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.reading(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.writing(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.writing(), STDERR_FILENO);
  const auto process = spawn(argv, variables, &actions, nullptr);
  posix_spawn_file_actions_destroy(&actions);
  if (!process) return fail(process);
  input.close_end(0);
  output.close_end(1);
  errors.close_end(1);
  Ended ended;
  // A program that ends before it has read all must not end us.
  auto* const before = std::signal(SIGPIPE, SIG_IGN);
  exchange(input, given, output, errors, ended);
  static_cast<void>(std::signal(SIGPIPE, before));
  ended.code = wait_for(*process);
  return ended;
}

struct Foreground::Held {
  sigset_t mask_before{};
};

Foreground::Foreground() : held_(std::make_unique<Held>()) {
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&held, signal);
  sigprocmask(SIG_BLOCK, &held, &held_->mask_before);
}

Foreground::~Foreground() { sigprocmask(SIG_SETMASK, &held_->mask_before, nullptr); }

Result<int> Foreground::run(const std::vector<std::string>& argv, const Variables& variables) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &held_->mask_before);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const auto process = spawn(argv, variables, nullptr, &attributes);
  posix_spawnattr_destroy(&attributes);
  if (!process) return fail(process);
  running = *process;
  // The terminal's own signals reach the program by themselves, others are passed on.
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  for (const int signal : {SIGINT, SIGQUIT}) sigaction(signal, &action, nullptr);
  action.sa_handler = pass_on;
  for (const int signal : {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) sigaction(signal, &action, nullptr);
  sigprocmask(SIG_SETMASK, &held_->mask_before, nullptr);
  const int code = wait_for(*process);
  running = 0;
  return code;
}

}  // namespace devtrust::cli
