#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "cli/ask.h"
#include "cli/output.h"
#include "cli/pipe.h"

namespace devtrust::cli {
namespace {

constexpr std::size_t kMaxLine = 2048;  // Assuan's lines are shorter
constexpr int kGreetingTimeout = 5000;  // ms
constexpr unsigned kCancelled = 99;     // GPG_ERR_CANCELED

std::string assuan_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

void append_unescaped(SecureBytes& out, ByteView text) {
  const auto digit = [](std::uint8_t c) { return c >= 'A' ? (c | 0x20U) - 'a' + 10U : c - '0' + 0U; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out.push_back(static_cast<std::uint8_t>(digit(text[i + 1]) << 4U | digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
}

/// gpg's dialog for passwords, in a process of its own: the Assuan protocol on two pipes.
class Pinentry {
 public:
  Pinentry() {
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    if (!open_pipe(to)) return;
    if (!open_pipe(from)) {
      close(to[0]);
      close(to[1]);
      return;
    }
    // A pinentry that is not there, or that ends early, must not end us.
    previous_ = std::signal(SIGPIPE, SIG_IGN);
    process_ = fork();
    if (process_ == 0) {
      dup2(to[0], STDIN_FILENO);
      dup2(from[1], STDOUT_FILENO);
      static_cast<void>(std::signal(SIGPIPE, SIG_DFL));
      execlp("pinentry", "pinentry", static_cast<char*>(nullptr));
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    in_ = to[1];
    out_ = from[0];
    pollfd greeting{out_, POLLIN, 0};
    greeted_ = process_ > 0 && poll(&greeting, 1, kGreetingTimeout) > 0 && read_line() && starts_with("OK");
    if (process_ > 0 && !greeted_) kill(process_, SIGKILL);  // whatever it is
  }
  ~Pinentry() {
    if (in_ >= 0) close(in_);
    if (out_ >= 0) close(out_);
    if (process_ > 0) {
      while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    if (previous_ != SIG_ERR) static_cast<void>(std::signal(SIGPIPE, previous_));
  }
  Pinentry(const Pinentry&) = delete;
  Pinentry& operator=(const Pinentry&) = delete;

  bool greeted() const { return greeted_; }

  bool command(const std::string& line) { return write_all(in_, line + '\n') && read_line() && starts_with("OK"); }

  Answer ask() {
    Answer answer;
    if (!write_all(in_, "GETPIN\n")) return answer;
    SecureBytes password;
    password.reserve(kMaxLine);
    while (read_line()) {
      if (starts_with("D ")) {
        append_unescaped(password, ByteView(line_).subspan(2));
      } else if (starts_with("OK")) {
        answer.password = std::move(password);
        return answer;
      } else if (starts_with("ERR ")) {
        const std::string code(as_text(ByteView(line_).subspan(4)));
        answer.cancelled = (std::strtoul(code.c_str(), nullptr, 10) & 0xFFFFU) == kCancelled;
        return answer;
      }
    }
    return answer;
  }

 private:
  bool starts_with(std::string_view text) const { return as_text(line_).starts_with(text); }

  bool read_line() {
    line_.clear();
    line_.reserve(kMaxLine);
    std::uint8_t c = 0;
    while (line_.size() < kMaxLine) {
      const ssize_t got = read(out_, &c, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      if (c == '\n') return true;
      line_.push_back(c);
    }
    return false;
  }

  pid_t process_ = -1;
  int in_ = -1, out_ = -1;
  bool greeted_ = false;
  SecureBytes line_;
  void (*previous_)(int) = SIG_ERR;
};

/// The terminal that a pinentry is to use: gpg's own variable, else what we stand on.
std::string terminal_name() {
  if (const char* named = std::getenv("GPG_TTY"); named != nullptr && *named != '\0') return named;
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (const char* name = ttyname(descriptor); name != nullptr) return name;
  }
  return {};
}

Answer ask_pinentry(const std::string& description, const std::string& error) {
  Pinentry pinentry;
  if (!pinentry.greeted()) return {};
  if (const std::string terminal = terminal_name(); !terminal.empty()) {
    pinentry.command("OPTION ttyname=" + terminal);
    if (const char* type = std::getenv("TERM"); type != nullptr)
      pinentry.command(fmt::format("OPTION ttytype={}", type));
  }
  pinentry.command("OPTION lc-ctype=C.UTF-8");
  pinentry.command("SETTITLE devtrust");
  pinentry.command("SETPROMPT Password:");
  pinentry.command("SETDESC " + assuan_escaped(description));
  if (!error.empty()) pinentry.command("SETERROR " + assuan_escaped(error));
  return pinentry.ask();
}

volatile std::sig_atomic_t interrupted = 0;

/// Ends a wait instead of the process, which has to give the terminal its echo back first. Outside of the wait the
/// signals are held back: one that came just before it would otherwise be noted, and waited past.
class Interruptible {
 public:
  Interruptible() {
    interrupted = 0;
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : kSignals) sigaddset(&held, signal);
    pthread_sigmask(SIG_BLOCK, &held, &mask_before_);
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals.at(i), &action, &before_.at(i));
  }
  ~Interruptible() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals.at(i), &before_.at(i), nullptr);
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  /// Whether there is something to read, rather than a signal or an error. By pselect, since macOS' poll takes no
  /// terminals.
  bool wait_for_input(int descriptor) const {
    if (descriptor >= FD_SETSIZE) return false;
    int ready = 0;
    do {
      fd_set input;
      FD_ZERO(&input);
      FD_SET(descriptor, &input);
      ready = pselect(descriptor + 1, &input, nullptr, nullptr, nullptr, &mask_before_);
    } while (ready < 0 && errno == EINTR && interrupted == 0);
    return ready > 0;
  }

 private:
  static constexpr std::array<int, 4> kSignals{SIGINT, SIGQUIT, SIGTERM, SIGHUP};
  std::array<struct sigaction, 4> before_{};
  sigset_t mask_before_{};
};

Answer ask_terminal(const std::string& description, const std::string& error) {
  const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) return {};
  Answer answer;
  termios before{};
  if (tcgetattr(terminal, &before) == 0) {
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ICANON;
    const Interruptible signals;
    // Before the prompt: what is typed at it must neither be shown nor thrown away.
    tcsetattr(terminal, TCSAFLUSH, &silent);
    write_all(terminal, error.empty() ? description + "\nPassword: " : error + "\nPassword: ");
    SecureBytes line(kMaxLine);
    const ssize_t got = signals.wait_for_input(terminal) ? read(terminal, line.data(), line.size()) : -1;
    tcsetattr(terminal, TCSAFLUSH, &before);
    write_all(terminal, "\n");
    if (got > 0) {
      line.resize(static_cast<std::size_t>(got));
      if (line.back() == '\n') line.pop_back();
      answer.password = std::move(line);
    } else {
      answer.cancelled = true;  // the end of input, or a signal
    }
  }
  close(terminal);
  return answer;
}

}  // namespace

Answer ask_password(const std::string& description, const std::string& error) {
  Answer answer = ask_pinentry(description, error);
  return answer.password || answer.cancelled ? std::move(answer) : ask_terminal(description, error);
}

}  // namespace devtrust::cli
