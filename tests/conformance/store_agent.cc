// A device-management agent for tests: renews the identity in an NSS database as NSS itself writes it, row by row, in
// transactions of SQLite. The rows come from a database that NSS's tools made.
//
//   store_agent MASTER LIVE
//
// Both are folders. MASTER holds several identities; LIVE is a copy of which all but the first are taken out at once.
// Each line of standard input is the number of the identity to bring in; the answer is its CKA_ID in hexadecimal.
#include <sqlite3.h>

#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

class Database {
 public:
  Database(const std::string& live, const std::string& master) {
    if (sqlite3_open_v2(live.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) fail();
    sqlite3_busy_timeout(handle_, 60000);
    run("PRAGMA synchronous=OFF");  // the test is of locks and contents, not of power cuts
    run("ATTACH '" + master + "' AS master");
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }
  std::vector<std::vector<std::string>> rows(const std::string& sql) {
    std::vector<std::vector<std::string>> found;
    const auto add = [](void* to, int count, char** values, char**) {
      auto& row = static_cast<std::vector<std::vector<std::string>>*>(to)->emplace_back();
      for (int i = 0; i < count; ++i) row.emplace_back(values[i] == nullptr ? "" : values[i]);
      return 0;
    };
    if (sqlite3_exec(handle_, sql.c_str(), add, &found, nullptr) != SQLITE_OK) fail();
    return found;
  }

 private:
  [[noreturn]] void fail() const { throw std::runtime_error(sqlite3_errmsg(handle_)); }

  sqlite3* handle_ = nullptr;
};

struct Identity {
  std::string key_row, id;  // nssPrivate's id; CKA_ID in hexadecimal
};

class Agent {
 public:
  Agent(const std::string& master, const std::string& live)
      : keys_(live + "/key4.db", master + "/key4.db"), certificates_(live + "/cert9.db", master + "/cert9.db") {
    for (const auto& row : keys_.rows("SELECT printf('%08x', id), hex(a102) FROM master.nssPrivate ORDER BY id")) {
      identities_.push_back({row.at(0), row.at(1)});
    }
    for (std::size_t i = 1; i < identities_.size(); ++i) {
      certificates_.run(take_certificate(identities_[i]));
      keys_.run(take_key(identities_[i]));
    }
  }

  /// New before old, or in every other renewal both at once: then the key is ahead of its certificate for a moment.
  const std::string& renew(std::size_t number) {
    const Identity& old = identities_.at(current_);
    const Identity& fresh = identities_.at(number % identities_.size());
    if (&old == &fresh) return fresh.id;
    if (++renewals_ % 2 == 0) {
      keys_.run("BEGIN IMMEDIATE;" + put_key(fresh) + "COMMIT");
      certificates_.run("BEGIN IMMEDIATE;" + put_certificate(fresh) + "COMMIT");
      certificates_.run("BEGIN IMMEDIATE;" + take_certificate(old) + "COMMIT");
      keys_.run("BEGIN IMMEDIATE;" + take_key(old) + "COMMIT");
    } else {
      keys_.run("BEGIN IMMEDIATE;" + put_key(fresh) + take_key(old) + "COMMIT");
      certificates_.run("BEGIN IMMEDIATE;" + put_certificate(fresh) + take_certificate(old) + "COMMIT");
    }
    current_ = number % identities_.size();
    return fresh.id;
  }

 private:
  static std::string put_key(const Identity& identity) {
    return "INSERT INTO nssPrivate SELECT * FROM master.nssPrivate WHERE a102=x'" + identity.id +
           "'; INSERT INTO metaData SELECT * FROM master.metaData WHERE id LIKE 'sig_key_" + identity.key_row + "_%';";
  }
  static std::string take_key(const Identity& identity) {
    return "DELETE FROM nssPrivate WHERE a102=x'" + identity.id + "'; DELETE FROM metaData WHERE id LIKE 'sig_key_" +
           identity.key_row + "_%';";
  }
  static std::string put_certificate(const Identity& identity) {
    return "INSERT INTO nssPublic SELECT * FROM master.nssPublic WHERE a102=x'" + identity.id + "';";
  }
  static std::string take_certificate(const Identity& identity) {
    return "DELETE FROM nssPublic WHERE a102=x'" + identity.id + "';";
  }

  Database keys_, certificates_;
  std::vector<Identity> identities_;
  std::size_t current_ = 0, renewals_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  Agent agent(argv[1], argv[2]);
  std::cout << agent.renew(0) << std::endl;
  for (std::size_t number = 0; std::cin >> number;) std::cout << agent.renew(number) << std::endl;
  return 0;
} catch (const std::exception& error) {
  std::cerr << "store_agent: " << error.what() << '\n';
  return 1;
}
