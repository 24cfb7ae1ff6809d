#include "backends/nss/database.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "backends/nss/sqlite_api.h"
#include "backends/nss/vfs.h"
#include "identity/der.h"

namespace devtrust {
namespace {

constexpr int kBusyMilliseconds = 50;
constexpr int kMaxBlob = 1 << 20;
constexpr std::size_t kMaxKeys = 10'000;
constexpr std::size_t kMaxIssuers = 256;
// SQLite's virtual machine calls back each so many instructions; a database that is made to loop ends here.
constexpr int kStepsPerCall = 1'000'000;
constexpr int kMaxCalls = 200;

constexpr std::array<std::uint8_t, 4> kCertificateClass{0, 0, 0, 1};
constexpr std::array<std::uint8_t, 4> kPrivateKeyClass{0, 0, 0, 3};
constexpr std::array<std::uint8_t, 3> kEmpty{0xA5, 0x00, 0x5A};

class Connection {
 public:
  Connection(const SqliteApi& api, std::string path) : api_(api), path_(std::move(path)) {}
  ~Connection() { api_.close_v2(database_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<void> open() {
    const int opened = api_.open_v2(path_.c_str(), &database_, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, kVfsName);
    if (opened != SQLITE_OK) return failure();
    api_.limit(database_, SQLITE_LIMIT_LENGTH, kMaxBlob);
    api_.limit(database_, SQLITE_LIMIT_ATTACHED, 0);
    // Nothing that a hostile schema brings along may run.
    for (const auto& [option, value] : std::array<std::pair<int, int>, 4>{{{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                                                           {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                                                           {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                                                                           {SQLITE_DBCONFIG_ENABLE_VIEW, 0}}}) {
      api_.db_config(database_, option, value, nullptr);
    }
    api_.busy_timeout(database_, kBusyMilliseconds);
    api_.progress_handler(database_, kStepsPerCall, count_call, this);
    return {};
  }

  const SqliteApi& api() const { return api_; }
  sqlite3* get() const { return database_; }
  const std::string& path() const { return path_; }

  tl::unexpected<Error> failure() const {
    const int code = database_ != nullptr ? api_.extended_errcode(database_) : SQLITE_NOMEM;
    switch (code & 0xFF) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return fail(ErrorCode::kBusy,
                    path_ + " is being written by another program: what was read before stays in use");
      case SQLITE_READONLY:
        return fail(
            ErrorCode::kBusy,
            path_ +
                " was left in the middle of a change by a program that ended: start the program that owns it, or run "
                "sqlite3 " +
                path_ + " 'PRAGMA quick_check', and it is put in order");
      case SQLITE_NOTADB:
        return fail(ErrorCode::kCorrupt,
                    path_ + " is not an SQLite database: restore it, or let the agent make it again");
      case SQLITE_CANTOPEN:
      case SQLITE_PERM:
      case SQLITE_AUTH:
        return fail(ErrorCode::kAccessDenied, path_ + " cannot be opened: see who owns it and who may read it");
      case SQLITE_IOERR:
        return fail(ErrorCode::kIo, path_ + " cannot be read: " + api_.errmsg(database_));
      case SQLITE_NOMEM:
        return fail(ErrorCode::kInternal, path_ + " cannot be read: memory is short");
      default:
        return fail(ErrorCode::kCorrupt,
                    path_ + " is damaged (" + api_.errmsg(database_) + "): restore it, or let the agent make it again");
    }
  }

 private:
  static int count_call(void* self) { return ++static_cast<Connection*>(self)->calls_ > kMaxCalls ? 1 : 0; }

  const SqliteApi& api_;
  const std::string path_;
  sqlite3* database_ = nullptr;
  int calls_ = 0;
};

class Statement {
 public:
  explicit Statement(const Connection& connection) : connection_(connection) {}
  ~Statement() { connection_.api().finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Result<void> prepare(const std::string& sql) {
    if (connection_.api().prepare_v2(connection_.get(), sql.c_str(), -1, &statement_, nullptr) != SQLITE_OK) {
      return connection_.failure();
    }
    return {};
  }
  /// `value` must live until the next bind.
  void bind(int index, ByteView value) {
    connection_.api().reset(statement_);
    connection_.api().bind_blob(statement_, index, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  }
  /// True where there is another row.
  Result<bool> step() {
    const int result = connection_.api().step(statement_);
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) return false;
    return connection_.failure();
  }
  std::optional<Bytes> blob(int column) const {
    const int type = connection_.api().column_type(statement_, column);
    if (type != SQLITE_BLOB && type != SQLITE_TEXT) return std::nullopt;
    const auto* data = static_cast<const std::uint8_t*>(connection_.api().column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(connection_.api().column_bytes(statement_, column));
    const ByteView value = data != nullptr ? ByteView(data, size) : ByteView();
    return equal(value, kEmpty) ? Bytes() : to_bytes(value);
  }

 private:
  const Connection& connection_;
  sqlite3_stmt* statement_ = nullptr;
};

/// What SQLite would say less clearly: a missing file, one that is no file, one in WAL mode.
Result<void> check_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(ErrorCode::kNotFound, path + " is not there");
    return fail(ErrorCode::kAccessDenied, path + " cannot be reached: " + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kCorrupt, path + " is not a regular file");
  if (faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0) {
    return fail(ErrorCode::kAccessDenied, path + " cannot be read: see who owns it and who may read it");
  }
  if (status.st_size == 0)
    return fail(ErrorCode::kCorrupt, path + " is empty: restore it, or let the agent make it again");
  return {};
}

/// NSS makes tables and indexes only. Views, triggers and virtual tables would have SQLite do more than read rows, and
/// a type that a hostile schema claims need not be what its text makes.
Result<void> check_schema(Connection& connection) {
  Statement statement(connection);
  if (auto prepared = statement.prepare("SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index') OR "
                                        "sql NOT LIKE 'CREATE TABLE %' AND sql NOT LIKE 'CREATE INDEX %' AND "
                                        "sql NOT LIKE 'CREATE UNIQUE INDEX %'");
      !prepared) {
    // Without shared memory SQLite cannot open a database in WAL mode, and says only that it cannot.
    if (prepared.error().code == ErrorCode::kAccessDenied) {
      return fail(ErrorCode::kUnsupported, connection.path() +
                                               " cannot be opened; if it is in SQLite's WAL mode, which NSS does not "
                                               "use, run: sqlite3 " +
                                               connection.path() + " 'PRAGMA journal_mode=DELETE'");
    }
    return prepared;
  }
  const auto strange = statement.step();
  if (!strange) return fail(strange);
  if (*strange) {
    return fail(ErrorCode::kCorrupt, connection.path() +
                                         " holds a view, a trigger or a virtual table, which NSS never makes: restore "
                                         "it, or let the agent make it again");
  }
  return {};
}

/// Slower than reading what is wanted: asked only where that failed.
Result<std::set<std::string>> table_columns(const Connection& connection, const std::string& table) {
  std::set<std::string> names;
  Statement statement(connection);
  if (auto prepared = statement.prepare("PRAGMA table_info(" + table + ')'); !prepared) return fail(prepared);
  while (true) {
    const auto more = statement.step();
    if (!more) return fail(more);
    if (!*more) break;
    if (const auto name = statement.blob(1)) names.emplace(as_text(*name));
  }
  if (names.empty()) {
    return fail(ErrorCode::kCorrupt,
                connection.path() + " is an SQLite database but has no table " + table + ": it is not NSS's");
  }
  return names;
}

Result<void> read_password(const Connection& connection, NssRows& rows) {
  Statement statement(connection);
  if (auto prepared = statement.prepare("SELECT item1, item2 FROM metaData WHERE id = 'password'"); !prepared) {
    if (const auto present = table_columns(connection, "metaData"); !present) return fail(present);
    return prepared;
  }
  const auto found = statement.step();
  if (!found) return fail(found);
  if (*found) {
    rows.global_salt = statement.blob(0).value_or(Bytes());
    rows.password_check = statement.blob(1).value_or(Bytes());
  }
  return {};
}

Result<void> read_keys(const Connection& connection, NssRows& rows) {
  struct Column {
    const char* name;
    std::optional<Bytes> NssKeyRow::*field;
  };
  static constexpr std::array<Column, 17> kColumns{{{"a3", &NssKeyRow::label},
                                                    {"a100", &NssKeyRow::key_type},
                                                    {"a102", &NssKeyRow::id},
                                                    {"a105", &NssKeyRow::decrypt},
                                                    {"a108", &NssKeyRow::sign},
                                                    {"a10c", &NssKeyRow::derive},
                                                    {"a11", &NssKeyRow::value},
                                                    {"a120", &NssKeyRow::modulus},
                                                    {"a122", &NssKeyRow::exponent},
                                                    {"a124", &NssKeyRow::prime1},
                                                    {"a125", &NssKeyRow::prime2},
                                                    {"a128", &NssKeyRow::coefficient},
                                                    {"a163", &NssKeyRow::local},
                                                    {"a164", &NssKeyRow::never_extractable},
                                                    {"a165", &NssKeyRow::always_sensitive},
                                                    {"a180", &NssKeyRow::ec_params},
                                                    {"ad5a0db00", &NssKeyRow::ec_point}}};
  const auto select = [](const std::set<std::string>* present) {
    std::string sql = "SELECT ";
    for (const Column& column : kColumns) {
      if (&column != kColumns.data()) sql += ", ";
      sql += present == nullptr || present->contains(column.name) ? column.name : "NULL";
    }
    return sql + " FROM nssPrivate WHERE a0 = ?1";
  };
  Statement statement(connection);
  if (!statement.prepare(select(nullptr))) {  // an older NSS knew fewer columns
    const auto present = table_columns(connection, "nssPrivate");
    if (!present) return fail(present);
    if (auto prepared = statement.prepare(select(&*present)); !prepared) return prepared;
  }
  statement.bind(1, kPrivateKeyClass);
  while (true) {
    const auto more = statement.step();
    if (!more) return fail(more);
    if (!*more) return {};
    if (rows.keys.size() == kMaxKeys) {
      rows.problems.push_back({ErrorCode::kCorrupt, connection.path() +
                                                        " has more than 10,000 private keys: the rest is "
                                                        "passed over"});
      return {};
    }
    NssKeyRow& row = rows.keys.emplace_back();
    int index = 0;
    for (const Column& column : kColumns) row.*column.field = statement.blob(index++);
  }
}

/// The issuer's DER Name of a certificate that may be anything.
std::optional<Bytes> issuer_name(ByteView der) {
  const auto certificate = der_single(der, der::kSequence);
  if (!certificate) return std::nullopt;
  const auto tbs = DerReader(certificate->content).next(der::kSequence);
  if (!tbs) return std::nullopt;
  DerReader fields(tbs->content);
  fields.next(der::context_constructed(0));  // version
  fields.next(der::kInteger);                // serial number
  fields.next(der::kSequence);               // signature algorithm
  const auto issuer = fields.next(der::kSequence);
  if (!issuer) return std::nullopt;
  return to_bytes(issuer->whole);
}

/// The certificates of the keys by CKA_ID, then their issuers by name: all by NSS's own indexes, never by a scan.
Result<void> read_certificates(const Connection& connection, NssRows& rows) {
  std::set<Bytes> seen;
  const auto collect = [&](Statement& statement, ByteView key, std::size_t most) -> Result<void> {
    statement.bind(1, key);
    statement.bind(2, kCertificateClass);
    for (std::size_t count = 0; count < most; ++count) {
      const auto more = statement.step();
      if (!more) return fail(more);
      if (!*more) break;
      auto der = statement.blob(0);
      if (der && seen.insert(*der).second) rows.certificates.push_back(*std::move(der));
    }
    return {};
  };
  Statement by_id(connection);
  if (auto prepared = by_id.prepare("SELECT a11 FROM nssPublic WHERE a102 = ?1 AND a0 = ?2"); !prepared) {
    if (const auto present = table_columns(connection, "nssPublic"); !present) return fail(present);
    return prepared;
  }
  for (const NssKeyRow& key : rows.keys) {
    if (!key.id) continue;
    if (auto collected = collect(by_id, *key.id, kMaxIssuers); !collected) return collected;
  }
  Statement by_subject(connection);
  if (auto prepared = by_subject.prepare("SELECT a11 FROM nssPublic WHERE a101 = ?1 AND a0 = ?2"); !prepared) {
    return prepared;
  }
  std::set<Bytes> asked;
  const std::size_t most = rows.certificates.size() + kMaxIssuers;
  for (std::size_t i = 0; i < rows.certificates.size() && rows.certificates.size() < most; ++i) {
    const auto issuer = issuer_name(rows.certificates[i]);
    if (!issuer || !asked.insert(*issuer).second) continue;
    if (auto collected = collect(by_subject, *issuer, kMaxIssuers); !collected) return collected;
  }
  return {};
}

Result<void> begin(const Connection& connection) {
  Statement statement(connection);
  if (auto prepared = statement.prepare("BEGIN"); !prepared) return prepared;
  if (const auto begun = statement.step(); !begun) return fail(begun);
  return {};
}

}  // namespace

Result<NssRows> read_nss_database(const std::string& folder) {
  const std::string keys = folder + "/key4.db";
  const std::string certificates = folder + "/cert9.db";
  for (const std::string& path : {keys, certificates}) {
    if (auto checked = check_file(path); !checked) return fail(checked);
  }
  const auto api = sqlite_api();
  if (!api) return fail(api);
  const SqliteUse use;
  if (auto registered = register_vfs(**api); !registered) return fail(registered);

  NssRows rows;
  for (const auto& [path, read_rows] : {std::pair(
                                            keys,
                                            +[](const Connection&connection, NssRows&out) -> Result<void> {
                                              if (auto read = read_password(connection, out); !read) return read;
                                              return read_keys(connection, out);
                                            }),
                                        std::pair(certificates, &read_certificates)}) {
    Connection connection(**api, path);
    if (auto opened = connection.open(); !opened) return fail(opened);
    if (auto begun = begin(connection); !begun) return fail(begun);
    if (auto usable = check_schema(connection); !usable) return fail(usable);
    if (auto read = read_rows(connection, rows); !read) return fail(read);
  }
  return rows;
}

}  // namespace devtrust
