#include "tests/support/command.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace devtrust::testing {

TempDir::~TempDir() {
  std::error_code ignored;
  // A test may have left folders that nobody may write.
  for (auto entry = std::filesystem::recursive_directory_iterator(path_, ignored);
       entry != std::filesystem::recursive_directory_iterator(); entry.increment(ignored)) {
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
      std::filesystem::permissions(entry->path(), std::filesystem::perms::owner_all, std::filesystem::perm_options::add,
                                   ignored);
    }
  }
  std::filesystem::remove_all(path_, ignored);
}

std::string must_run(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment) {
  CommandResult result = run(argv, environment);
  if (result.exit_code != 0) {
    std::string command;
    for (const std::string& word : argv) command += word + ' ';
    throw std::runtime_error(command + "ended with " + std::to_string(result.exit_code) + ":\n" + result.output);
  }
  return std::move(result.output);
}

std::string must_print(const std::vector<std::string>& argv) {
  std::string text = must_run(argv);
  std::erase(text, '\r');
  return text;
}

std::string read_file(const std::filesystem::path& path) {
  const std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream content;
  content << in.rdbuf();
  return std::move(content).str();
}

void write_file(const std::filesystem::path& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace devtrust::testing
