// A database that NSS's own tools made, with some of its values changed: reaches behind SQLite, where random files
// seldom come. The input: which database, then changes, each a table, a row, a column and what to do with the value.
#include <sqlite3.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "tests/fuzz/input.h"
#include "tests/fuzz/store_reader.h"
#include "tests/support/pki.h"

namespace devtrust::fuzz {
namespace {

struct Column {
  const char* table;
  const char* name;
};
constexpr std::array<Column, 25> kColumns{{
    {"nssPrivate", "a0"},   {"nssPrivate", "a100"}, {"nssPrivate", "a102"},      {"nssPrivate", "a11"},
    {"nssPrivate", "a120"}, {"nssPrivate", "a122"}, {"nssPrivate", "a124"},      {"nssPrivate", "a125"},
    {"nssPrivate", "a180"}, {"nssPrivate", "a3"},   {"nssPrivate", "ad5a0db00"}, {"nssPrivate", "a108"},
    {"metaData", "item1"},  {"metaData", "item2"},  {"metaData", "id"},          {"nssPrivate", "a105"},
    {"nssPublic", "a0"},    {"nssPublic", "a11"},   {"nssPublic", "a101"},       {"nssPublic", "a102"},
    {"nssPublic", "a81"},   {"nssPublic", "a82"},   {"nssPrivate", "a10c"},      {"nssPublic", "a3"},
    {"nssPrivate", "a128"},
}};

struct Files {
  std::string certificates, keys;
};

Files make(const std::string& password) {
  const testing::TempDir folder;
  testing::Pki pki(folder / "pki", "ec:P-256");
  testing::NssDatabase database(folder / "db", password);
  database.import(pki.issue({.key = "ec:P-256", .valid_to_days = 20000}));
  database.import(pki.issue({.key = "rsa:1024", .valid_to_days = 20000}));
  return {testing::read_file(folder / "db" / "cert9.db"), testing::read_file(folder / "db" / "key4.db")};
}

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

/// A database file in memory.
class Database {
 public:
  explicit Database(const std::string& file) {
    sqlite3* opened = nullptr;
    auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(file.size()));
    std::copy(file.begin(), file.end(), copy);
    const auto size = static_cast<sqlite3_int64>(file.size());
    if (sqlite3_open(":memory:", &opened) != SQLITE_OK ||
        sqlite3_deserialize(opened, "main", copy, size, size,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) != SQLITE_OK) {
      std::abort();
    }
    database_.reset(opened);
  }
  Bytes value(const Column& column, int row) const {
    const Statement statement = prepare("SELECT ", column.name, " FROM ", column.table, " LIMIT 1 OFFSET ?1");
    sqlite3_bind_int(statement.get(), 1, row);
    if (sqlite3_step(statement.get()) != SQLITE_ROW) return {};
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement.get(), 0));
    return data == nullptr ? Bytes() : Bytes(data, data + sqlite3_column_bytes(statement.get(), 0));
  }
  void set(const Column& column, int row, const Bytes* value) const {
    const Statement statement = prepare("UPDATE ", column.table, " SET ", column.name,
                                        " = ?1 WHERE rowid = (SELECT rowid FROM ", column.table, " LIMIT 1 OFFSET ?2)");
    if (value != nullptr) {
      sqlite3_bind_blob(statement.get(), 1, value->data(), static_cast<int>(value->size()), SQLITE_STATIC);
    }
    sqlite3_bind_int(statement.get(), 2, row);
    sqlite3_step(statement.get());  // what SQLite's constraints refuse stays as it is
  }
  Bytes file() const {
    sqlite3_int64 size = 0;
    unsigned char* data = sqlite3_serialize(database_.get(), "main", &size, 0);
    Bytes bytes(data, data + size);
    sqlite3_free(data);
    return bytes;
  }

 private:
  template <typename... Parts>
  Statement prepare(const Parts&... parts) const {
    std::string sql;
    ((sql += parts), ...);
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) std::abort();
    return Statement(statement);
  }
  std::unique_ptr<sqlite3, Close> database_;
};

void change(Input& input, const Database& database, const Column& column) {
  const int row = input.octet() % 8;
  const unsigned how = input.octet() % 6;
  Bytes value = how == 0 ? Bytes() : database.value(column, row);
  switch (how) {
    case 0:
      value = to_bytes(input.bytes(input.octet()));
      break;
    case 1:
    case 2:
      if (!value.empty()) value[input.number(2) % value.size()] ^= static_cast<std::uint8_t>(input.octet() | 1U);
      break;
    case 3:
      if (!value.empty()) value.resize(input.number(2) % value.size());
      break;
    case 4: {
      const ByteView more = input.bytes(input.octet());
      value.insert(value.end(), more.begin(), more.end());
      break;
    }
    default:
      value = database.value(column, row + 1);
      break;
  }
  const bool nothing = how == 5 && input.octet() % 2 == 0;
  database.set(column, row, nothing ? nullptr : &value);
}

}  // namespace
}  // namespace devtrust::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace devtrust::fuzz;
  // NSS's own way to make a database with a password that is not slow on purpose.
  static const int few_iterations = setenv("NSS_MAX_MP_PBE_ITERATION_COUNT", "10", 1);
  static const std::array<Files, 2> made{make(""), make("password")};
  static const auto folder = scratch();
  (void)few_iterations;
  Input input(data, size);
  const Files& files = input.pick(made);
  const Database certificates(files.certificates);
  const Database keys(files.keys);
  for (int changes = 0; changes < 16 && !input.empty(); ++changes) {
    const Column& column = input.pick(kColumns);
    change(input, std::string_view(column.table) == "nssPublic" ? certificates : keys, column);
  }
  overwrite(folder / "cert9.db", certificates.file());
  overwrite(folder / "key4.db", keys.file());
  use_store({"nss", folder, "", "", false});
  return 0;
}
