#include "tests/support/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to the program

namespace devtrust::testing {

TempDir::TempDir() {
  const char* parent = std::getenv("TMPDIR");
  std::string pattern = std::string(parent != nullptr ? parent : "/tmp") + "/devtrust-test-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error(pattern + ": " + std::strerror(errno));
  path_ = std::filesystem::canonical(pattern);  // macOS' own is below a link
}

void make_private(const std::filesystem::path& path) {
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

CommandResult run(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment) {
  std::array<int, 2> output{};
  if (pipe(output.data()) != 0) throw std::runtime_error("pipe: " + std::string(std::strerror(errno)));
  for (const int end : output) fcntl(end, F_SETFD, FD_CLOEXEC);

  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!environment.contains(text.substr(0, text.find('=')))) variables.push_back(text);
  }
  for (const auto& [name, value] : environment) variables.push_back(name + '=' + value);
  const auto pointers = [](const std::vector<std::string>& list) {
    std::vector<char*> made;
    for (const std::string& text : list) made.push_back(const_cast<char*>(text.c_str()));
    made.push_back(nullptr);
    return made;
  };

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
  pid_t child = -1;
  const int error =
      posix_spawnp(&child, argv.at(0).c_str(), &actions, nullptr, pointers(argv).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  if (error != 0) {
    close(output[0]);
    throw std::runtime_error("cannot run " + argv[0] + ": " + std::strerror(error));
  }

  CommandResult result;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = read(output[0], buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    result.output.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(output[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace devtrust::testing
