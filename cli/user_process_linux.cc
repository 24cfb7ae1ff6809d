#include "cli/user_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

#include "cli/exec_pointers.h"
#include "cli/output.h"

namespace devtrust::cli {
namespace {

constexpr std::size_t kMaxAnswer = std::size_t{16} << 20U;
constexpr std::string_view kRefused = "!";  // no JSON begins so; after it the step and errno

[[noreturn]] void refuse(char step) {
  write_all(STDOUT_FILENO, fmt::format("{}{}{}", kRefused, step, errno));
  _exit(1);
}

/// Gives up root's rights for good.
bool become(const User& user) {
  if (initgroups(user.name.c_str(), user.gid) != 0 || setresgid(user.gid, user.gid, user.gid) != 0 ||
      setresuid(user.uid, user.uid, user.uid) != 0) {
    return false;
  }
  errno = EPERM;
  return getuid() == user.uid && geteuid() == user.uid && getgid() == user.gid && getegid() == user.gid &&
         setuid(0) != 0;
}

/// No signal of ours is blocked or ignored in it.
void default_signals() {
  for (int number = 1; number < NSIG; ++number) static_cast<void>(std::signal(number, SIG_DFL));
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_as(const User& user, char* const* argv, char* const* variables, int output, pid_t parent) {
  const int nothing = open("/dev/null", O_RDWR);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(nothing, STDERR_FILENO) < 0) {
    _exit(1);
  }
  // A process of the user that has root's terminal could type into it.
  if (setsid() < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) != 0) refuse('s');
  umask(077);
  default_signals();
  if (!become(user)) refuse('u');
  // It goes when we go; by now, since a change of user takes that away again.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (getppid() != parent) _exit(1);
  // A home that may not be entered is status's to judge, and so is what it holds.
  if (chdir(user.home.c_str()) != 0 && errno != EACCES) refuse('h');
  if (chdir("/") != 0) refuse('h');
  execve("/proc/self/exe", argv, variables);
  refuse('e');
}

}  // namespace

Result<UserProcess> UserProcess::start(const User& user, const std::vector<std::string>& arguments,
                                       Clock::time_point end) {
  std::vector<std::string> words{"devtrust"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> settings{"HOME=" + user.home, "USER=" + user.name, "LOGNAME=" + user.name,
                                    "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
  const std::vector<char*> argv = exec_pointers(words);
  const std::vector<char*> variables = exec_pointers(settings);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(ErrorCode::kInternal, std::string("no pipe: ") + std::strerror(errno));
  const pid_t parent = getpid();
  const pid_t process = fork();
  if (process == 0) run_as(user, argv.data(), variables.data(), ends[1], parent);
  const int error = errno;
  close(ends[1]);
  if (process < 0) {
    close(ends[0]);
    return fail(ErrorCode::kInternal, std::string("no process: ") + std::strerror(error));
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return UserProcess(process, ends[0], end);
}

UserProcess::UserProcess(UserProcess&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      output_(std::exchange(other.output_, -1)),
      end_(other.end_),
      said_(std::move(other.said_)) {}

UserProcess::~UserProcess() {
  if (process_ <= 0) return;
  close(output_);
  // Not waited for yet, so the number is still its own.
  kill(process_, SIGKILL);
  kill(-process_, SIGKILL);
  waitpid(process_, nullptr, WNOHANG);
}

bool UserProcess::read_some() {
  std::array<char, 16384> buffer{};
  const ssize_t got = read(output_, buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  said_.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0 && said_.size() <= kMaxAnswer;
}

Result<void> UserProcess::refusal(const User& user, std::string_view said) {
  if (!said.starts_with(kRefused) || said.size() < 3) return {};
  const char step = said[1];
  int error = 0;
  std::from_chars(said.data() + 2, said.data() + said.size(), error);
  if (step == 'h' && (error == ENOENT || error == ENOTDIR)) {
    return fail(ErrorCode::kNotFound,
                "the home directory " + user.home + " is not there: see whether it should be mounted");
  }
  const std::string reason = std::strerror(error);
  if (step == 'h') return fail(ErrorCode::kIo, "the home directory " + user.home + " cannot be entered: " + reason);
  return fail(ErrorCode::kInternal, "nothing can be run as this user: " + reason);
}

}  // namespace devtrust::cli
