// A browser in small: it has a SQLite of its own (linked in) and holds write transactions on the database that our
// module, in the same process, reads again and again. Reads commands from standard input, a line each, and answers each
// with a line:
//   lock MODE   begins a transaction (IMMEDIATE or EXCLUSIVE) on cert9.db and key4.db
//   refresh     touches both files and lets the module look at its token again
//   blunder     opens and closes both files, which is what loses locks: the counter-test
//   commit      ends the transactions
//   reads       how many bytes this process has read so far
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#include "tests/interop/hosts/host.h"

namespace {

using devtrust::testing::Module;

class Database {
 public:
  explicit Database(std::string path) : path_(std::move(path)) {
    if (sqlite3_open_v2(path_.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) fail();
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }
  void touch() const {
    if (utimensat(AT_FDCWD, path_.c_str(), nullptr, 0) != 0) throw std::runtime_error("cannot touch " + path_);
  }
  void open_and_close() const { close(open(path_.c_str(), O_RDONLY | O_CLOEXEC)); }

 private:
  void fail() const { throw std::runtime_error(path_ + ": " + sqlite3_errmsg(handle_)); }
  std::string path_;
  sqlite3* handle_ = nullptr;
};

std::string bytes_read() {
  std::ifstream counters("/proc/self/io");
  std::string name;
  std::string value;
  counters >> name >> value;  // "rchar: N" comes first
  return value;
}

void serve(const Module& module, std::array<Database, 2>& databases) {
  const CK_SESSION_HANDLE session = module.open_session();
  module.sign_and_verify(session);
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::string answer = "done";
    if (line == "refresh") {
      for (auto& database : databases) database.touch();
      if (module.find(session, CKO_PRIVATE_KEY) == CK_INVALID_HANDLE) answer = "the key is gone";
    } else if (line == "blunder") {
      for (auto& database : databases) database.open_and_close();
    } else if (line == "commit") {
      for (auto& database : databases) database.execute("COMMIT");
    } else if (line == "reads") {
      answer = bytes_read();
    } else if (line.starts_with("lock ")) {
      for (auto& database : databases) database.execute("BEGIN " + line.substr(5));
    } else {
      answer = "unknown command";
    }
    std::cout << answer << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    const std::string folder = argv[2];
    const Module module(argv[1]);
    devtrust::testing::check(module.initialize(), "C_Initialize");
    std::array databases{Database(folder + "/cert9.db"), Database(folder + "/key4.db")};
    serve(module, databases);
    devtrust::testing::check(module->C_Finalize(nullptr), "C_Finalize");
    return 0;
  } catch (const std::exception& error) {
    std::cout << error.what() << std::endl;
    return 1;
  }
}
