#include "backends/nss/nss_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "backends/nss/nss_key.h"
#include "identity/openssl.h"
#include "identity/snapshot.h"
#include "tests/support/pki.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::Leaf;
using testing::LeafOptions;
using testing::must_run;
using testing::NssDatabase;
using testing::Pki;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

/// Python's own SQLite changes a database as no NSS tool would.
std::string sql(const fs::path& database, const std::string& statements) {
  static const std::string kScript =
      "import sqlite3, sys\n"
      "sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])\n";
  return must_run({"/usr/bin/python3", "-c", kScript, database.string(), statements});
}

std::shared_ptr<Store> store_at(const fs::path& folder, const std::string& pin_source = {}) {
  return make_nss_store({"nss", folder.string(), "", pin_source, false});
}

bool signs(const PrivateKey& key) {
  const bool rsa = key.public_key().type() == KeyType::kRsa;
  const SignScheme scheme{rsa ? SignAlgorithm::kRsaPkcs1 : SignAlgorithm::kEcdsa,
                          rsa ? Digest::kSha256 : Digest::kNone};
  Bytes signature(key.public_key().max_signature_size());
  const auto length = key.sign(scheme, Bytes(32, 1), signature);
  if (!length) return false;
  signature.resize(*length);
  return key.public_key().verify(scheme, Bytes(32, 1), signature).has_value();
}

class NssStoreTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new TempDir();
    pki_ = new Pki(*shared_ / "pki", "ec:P-256");
  }
  static void TearDownTestSuite() {
    delete pki_;
    delete shared_;
  }
  static Leaf issue(const std::string& key = "ec:P-256", const std::string& name = {}) {
    LeafOptions options;
    options.key = key;
    if (!name.empty()) options.common_name = name;
    return pki_->issue(options);
  }
  /// A database with one identity, as an agent leaves it.
  NssDatabase make(const std::string& password = {}, const std::string& key = "ec:P-256") const {
    NssDatabase database(folder_ / "nssdb", password);
    database.import(issue(key));
    return database;
  }
  ErrorCode code_of(const std::string& sentence) const {
    const auto contents = store_at(folder_ / "nssdb")->read();
    if (contents) return ErrorCode::kInternal;
    EXPECT_THAT(contents.error().message, HasSubstr(sentence));
    EXPECT_THAT(contents.error().message, HasSubstr((folder_ / "nssdb").string()));
    return contents.error().code;
  }

  static TempDir* shared_;
  static Pki* pki_;
  TempDir folder_;
};
TempDir* NssStoreTest::shared_ = nullptr;
Pki* NssStoreTest::pki_ = nullptr;

class NssKeyTypes : public NssStoreTest, public ::testing::WithParamInterface<std::tuple<const char*, const char*>> {};

TEST_P(NssKeyTypes, SignWithTheKeyThatNssHolds) {
  const auto& [type, password] = GetParam();
  const NssDatabase database = make(password, type);
  const std::string digest = database.digest();
  const auto store = store_at(database.folder());
  const auto contents = store->read();
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_TRUE(contents->problems.empty());
  ASSERT_EQ(contents->keys.size(), 1U);
  EXPECT_EQ(contents->certificates.size(), 3U);
  const PrivateKey& key = *contents->keys[0];
  EXPECT_EQ(contents->login != nullptr, *password != '\0');
  if (contents->login) {
    Bytes out(1024);
    EXPECT_EQ(key.prepare().error().code, ErrorCode::kLoginRequired);
    EXPECT_EQ(contents->login->unlock("wrong").error().code, ErrorCode::kWrongPassword);
    EXPECT_FALSE(contents->login->unlocked());
    ASSERT_TRUE(contents->login->unlock(password));
  }
  EXPECT_TRUE(signs(key));
  EXPECT_TRUE(key.intact());
  if (contents->login) {
    contents->login->lock();
    EXPECT_EQ(key.prepare().error().code, ErrorCode::kLoginRequired);
    EXPECT_TRUE(key.intact());
    ASSERT_TRUE(contents->login->unlock(password));
    EXPECT_TRUE(signs(key));
  }
  EXPECT_EQ(database.digest(), digest);
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

INSTANTIATE_TEST_SUITE_P(Matrix, NssKeyTypes,
                         ::testing::Combine(::testing::Values("rsa:2048", "ec:P-256", "ec:P-384", "ec:P-521"),
                                            ::testing::Values("", "s\xC3\xA9same")));

TEST_F(NssStoreTest, PinSourceUnlocksByItself) {
  const NssDatabase database = make("secret");
  const fs::path pin = folder_ / "pin";
  write_file(pin, "secret\n");
  chmod(pin.c_str(), 0600);
  const auto contents = store_at(database.folder(), "file:" + pin.string())->read();
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->login, nullptr);
  EXPECT_TRUE(signs(*contents->keys.at(0)));

  write_file(pin, "wrong\n");
  const auto wrong = store_at(database.folder(), "file:" + pin.string())->read()->keys.at(0)->prepare();
  EXPECT_EQ(wrong.error().code, ErrorCode::kWrongPassword);
  EXPECT_THAT(wrong.error().message, HasSubstr(pin.string()));
}

TEST_F(NssStoreTest, LoginSurvivesARenewalAndEndsWithANewPassword) {
  NssDatabase database = make("secret");
  const auto store = store_at(database.folder());
  const auto before = store->read();
  ASSERT_TRUE(before->login->unlock("secret"));
  EXPECT_TRUE(signs(*before->keys.at(0)));
  database.import(issue("ec:P-256", "JumpCloud Device Trust Certificate – 22222222"));
  const auto after = store->read();
  ASSERT_EQ(after->keys.size(), 2U);
  EXPECT_TRUE(signs(*after->keys[0]));
  EXPECT_TRUE(signs(*after->keys[1]));

  write_file(folder_ / "new", "other\n");
  must_run({"certutil", "-W", "-d", "sql:" + database.folder().string(), "-f",
            (database.folder() / "password").string(), "-@", (folder_ / "new").string()});
  const auto changed = store->read();
  ASSERT_TRUE(changed->login);
  EXPECT_FALSE(changed->login->unlocked());
  EXPECT_EQ(changed->keys.at(0)->prepare().error().code, ErrorCode::kLoginRequired);
  ASSERT_TRUE(changed->login->unlock("other"));
  EXPECT_TRUE(signs(*changed->keys.at(0)));
}

TEST_F(NssStoreTest, KeyWorksAfterItsRowIsGone) {
  NssDatabase database = make();
  const auto store = store_at(database.folder());
  const auto contents = store->read();
  fs::remove_all(database.folder());
  EXPECT_TRUE(signs(*contents->keys.at(0)));  // first use opens no file
}

TEST_F(NssStoreTest, WhatDidNotChangeIsTakenOver) {
  const NssDatabase database = make();
  const auto store = store_at(database.folder());
  const auto first = store->read();
  const auto second = store->read();
  EXPECT_EQ(first->keys, second->keys);
  EXPECT_EQ(first->certificates, second->certificates);
}

TEST_F(NssStoreTest, VersionTellsEachChange) {
  NssDatabase database = make();
  const auto store = store_at(database.folder());
  const StoreVersion first = store->version();
  EXPECT_EQ(store->version(), first);
  database.import(issue("ec:P-256", "another"));
  EXPECT_FALSE(store->version() == first);
  fs::remove(database.folder() / "key4.db");
  EXPECT_EQ(store->version(), StoreVersion());
}

TEST_F(NssStoreTest, AReadRightAfterAChangeIsRepeated) {
  const NssDatabase database = make();
  const auto store = store_at(database.folder());
  const fs::path file = database.folder() / "cert9.db";
  fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(1));
  fs::last_write_time(database.folder() / "key4.db", fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(store->read()->version, store->version());
  fs::last_write_time(file, fs::file_time_type::clock::now());
  EXPECT_FALSE(store->read()->version.has_value());
}

TEST_F(NssStoreTest, ForeignKeysAndCertificatesAreBeside) {
  NssDatabase database = make();
  Pki stranger(folder_ / "stranger", "ec:P-256", "Stranger Root", "Stranger CA");
  database.import(stranger.issue({.key = "rsa:2048", .common_name = "stranger"}));
  database.add_certificate(pki_->issue({.key = "ec:P-256", .common_name = "no key here"}).certificate, "no key here");
  const auto contents = store_at(database.folder())->read();
  EXPECT_EQ(contents->keys.size(), 2U);
  EXPECT_EQ(contents->certificates.size(), 6U);  // two chains; a certificate without a key is none of ours
}

TEST_F(NssStoreTest, SecretThatIsNotTheCertificatesIsRefused) {
  NssDatabase database = make();
  database.import(issue("ec:P-256", "other"));
  // The scalar of one key in the row of the other.
  sql(database.folder() / "key4.db",
      "CREATE TABLE swap AS SELECT id, a11 FROM nssPrivate;"
      "UPDATE nssPrivate SET a11 = (SELECT s.a11 FROM swap s WHERE s.id != nssPrivate.id);"
      "DROP TABLE swap;");
  const auto contents = store_at(database.folder())->read();
  ASSERT_EQ(contents->keys.size(), 2U);
  for (const auto& key : contents->keys) {
    EXPECT_TRUE(key->intact());  // nothing is decrypted before it is used
    EXPECT_EQ(key->prepare().error().code, ErrorCode::kKeyMismatch);
    EXPECT_FALSE(key->intact());
  }
}

TEST_F(NssStoreTest, DamagedSecretIsRefused) {
  const NssDatabase database = make();
  sql(database.folder() / "key4.db", "UPDATE nssPrivate SET a11 = X'3003020100'");
  const auto contents = store_at(database.folder())->read();
  EXPECT_EQ(contents->keys.at(0)->prepare().error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(contents->keys.at(0)->intact());
}

TEST_F(NssStoreTest, SignsWithADamagedCoefficient) {
  const NssDatabase database = make({}, "rsa:2048");
  for (const char* damaged :
       {"NULL", "X''", "X'3003020100'", "a122", "a124", "(SELECT a124 || a125 FROM nssPrivate)"}) {
    sql(database.folder() / "key4.db", std::string("UPDATE nssPrivate SET a128 = ") + damaged);
    const auto contents = store_at(database.folder())->read();
    EXPECT_TRUE(signs(*contents->keys.at(0))) << damaged;
    EXPECT_TRUE(contents->keys[0]->intact()) << damaged;
  }
}

TEST_F(NssStoreTest, BrokenCertificateDoesNotHideTheGoodOne) {
  const NssDatabase database = make();
  sql(database.folder() / "cert9.db",
      "INSERT INTO nssPublic (id, a0, a11, a102) SELECT 12345, a0, X'300102', a102 FROM nssPublic "
      "WHERE a0 = X'00000001' AND a102 IS NOT NULL LIMIT 1");
  const auto contents = store_at(database.folder())->read();
  EXPECT_TRUE(signs(*contents->keys.at(0)));
  EXPECT_GE(contents->certificates.size(), 3U);
}

TEST_F(NssStoreTest, EmptyPlaceIsNotFound) {
  EXPECT_EQ(code_of("is not there"), ErrorCode::kNotFound);
  NssDatabase database = make();
  fs::remove(database.folder() / "key4.db");
  EXPECT_EQ(code_of("key4.db is not there"), ErrorCode::kNotFound);
}

TEST_F(NssStoreTest, NewDatabaseWithoutAnythingIsEmpty) {
  const NssDatabase database(folder_ / "nssdb");
  const auto contents = store_at(database.folder())->read();
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_TRUE(contents->keys.empty());
  EXPECT_TRUE(contents->certificates.empty());
}

TEST_F(NssStoreTest, WhatIsNoDatabaseIsSaidToBeNone) {
  fs::create_directories(folder_ / "nssdb");
  write_file(folder_ / "nssdb" / "cert9.db", std::string(8192, 'x'));
  write_file(folder_ / "nssdb" / "key4.db", std::string(8192, 'x'));
  EXPECT_EQ(code_of("is not an SQLite database"), ErrorCode::kCorrupt);
  write_file(folder_ / "nssdb" / "key4.db", "");
  EXPECT_EQ(code_of("is empty"), ErrorCode::kCorrupt);
  fs::remove(folder_ / "nssdb" / "key4.db");
  fs::create_directory(folder_ / "nssdb" / "key4.db");
  EXPECT_EQ(code_of("not a regular file"), ErrorCode::kCorrupt);
}

TEST_F(NssStoreTest, AnotherProgramsDatabaseIsNotNsss) {
  fs::create_directories(folder_ / "nssdb");
  for (const char* file : {"cert9.db", "key4.db"}) sql(folder_ / "nssdb" / file, "CREATE TABLE notes (text);");
  EXPECT_EQ(code_of("key4.db is an SQLite database but has no table metaData: it is not NSS's"), ErrorCode::kCorrupt);
}

TEST_F(NssStoreTest, AnotherProgramsCertificatesAreNotNsss) {
  const NssDatabase database = make();
  sql(database.folder() / "cert9.db", "DROP TABLE nssPublic;");
  EXPECT_EQ(code_of("cert9.db is an SQLite database but has no table nssPublic"), ErrorCode::kCorrupt);
}

TEST_F(NssStoreTest, TruncatedAnywhereItDoesNotCrash) {
  const NssDatabase database = make();
  const std::string whole = read_file(database.folder() / "key4.db");
  const auto store = store_at(database.folder());
  for (std::size_t size = 1; size < whole.size(); size += whole.size() / 23) {
    write_file(database.folder() / "key4.db", whole.substr(0, size));
    const auto contents = store->read();
    if (!contents) {
      EXPECT_THAT(contents.error().message, HasSubstr("key4.db"));
    }
  }
}

TEST_F(NssStoreTest, HostileSchemaRunsNothing) {
  const NssDatabase database = make();
  sql(database.folder() / "key4.db",
      "ALTER TABLE nssPrivate RENAME TO hidden;"
      "CREATE VIEW nssPrivate AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
      "SELECT x AS id, X'00000003' AS a0 FROM n;");
  EXPECT_EQ(code_of("key4.db holds a view"), ErrorCode::kCorrupt);
}

TEST_F(NssStoreTest, VirtualTableIsNotNsss) {
  const NssDatabase database = make();
  sql(database.folder() / "cert9.db", "CREATE VIRTUAL TABLE notes USING fts5(text);");
  EXPECT_EQ(code_of("cert9.db holds a view, a trigger or a virtual table"), ErrorCode::kCorrupt);
}

TEST_F(NssStoreTest, VirtualTableThatClaimsToBeATableIsNotNsss) {
  const NssDatabase database = make();
  sql(database.folder() / "key4.db",
      "PRAGMA writable_schema = ON;"
      "DELETE FROM sqlite_master WHERE type = 'index' AND tbl_name = 'nssPrivate';"
      "UPDATE sqlite_master SET sql = 'CREATE/**/VIRTUAL TABLE nssPrivate USING fts3(a0, a11)' WHERE name = "
      "'nssPrivate';");
  EXPECT_EQ(code_of("key4.db holds a view, a trigger or a virtual table"), ErrorCode::kCorrupt);
}

TEST_F(NssStoreTest, TriggerIsNotNsss) {
  const NssDatabase database = make();
  sql(database.folder() / "key4.db", "CREATE TRIGGER t AFTER INSERT ON metaData BEGIN DELETE FROM nssPrivate; END;");
  EXPECT_EQ(code_of("key4.db holds a view, a trigger or a virtual table"), ErrorCode::kCorrupt);
}

TEST_F(NssStoreTest, NewerNssMayAddColumnsAndTables) {
  const NssDatabase database = make();
  sql(database.folder() / "key4.db", "ALTER TABLE nssPrivate ADD COLUMN a999999; CREATE TABLE future (x);");
  sql(database.folder() / "cert9.db", "ALTER TABLE nssPublic ADD COLUMN a999999;");
  EXPECT_TRUE(signs(*store_at(database.folder())->read()->keys.at(0)));
}

TEST_F(NssStoreTest, OlderNssMayLackColumns) {
  const NssDatabase database = make();
  // Python's SQLite cannot drop an indexed column; these have none.
  sql(database.folder() / "key4.db",
      "ALTER TABLE nssPrivate DROP COLUMN a10c; ALTER TABLE nssPrivate DROP COLUMN ad5a0db00;");
  EXPECT_TRUE(signs(*store_at(database.folder())->read()->keys.at(0)));  // the certificate knows the point
}

TEST_F(NssStoreTest, WalModeIsReadOrNamed) {
  const NssDatabase database = make();
  sql(database.folder() / "key4.db", "PRAGMA journal_mode=WAL");
  EXPECT_EQ(code_of("WAL"), ErrorCode::kUnsupported);
}

TEST_F(NssStoreTest, ReadOnlyFolderAndFiles) {
  const NssDatabase database = make();
  for (const char* file : {"cert9.db", "key4.db"}) chmod((database.folder() / file).c_str(), 0400);
  chmod(database.folder().c_str(), 0500);
  EXPECT_TRUE(signs(*store_at(database.folder())->read()->keys.at(0)));
}

TEST_F(NssStoreTest, ReplacedByRename) {
  NssDatabase database = make();
  const auto store = store_at(database.folder());
  const auto before = store->read();
  const StoreVersion version = store->version();
  NssDatabase next(folder_ / "next");
  next.import(issue("rsa:2048", "JumpCloud Device Trust Certificate – 33333333"));
  for (const char* file : {"cert9.db", "key4.db"}) fs::rename(next.folder() / file, database.folder() / file);
  EXPECT_FALSE(store->version() == version);
  const auto after = store->read();
  ASSERT_EQ(after->keys.size(), 1U);
  EXPECT_EQ(after->keys[0]->public_key().type(), KeyType::kRsa);
  EXPECT_TRUE(signs(*after->keys[0]));
  EXPECT_TRUE(signs(*before->keys[0]));
}

TEST_F(NssStoreTest, TenThousandCertificates) {
  const NssDatabase database = make();
  // Rows as NSS writes them, with names, ids and contents of their own.
  must_run({"/usr/bin/python3", "-c",
            "import sqlite3, sys, os\n"
            "db = sqlite3.connect(sys.argv[1])\n"
            "row = db.execute(\"SELECT * FROM nssPublic WHERE a0 = X'00000001' LIMIT 1\")\n"
            "names = [c[0] for c in row.description]\n"
            "values = dict(zip(names, row.fetchone()))\n"
            "rows = []\n"
            "for i in range(10000):\n"
            "    v = dict(values, id=1000000 + i, a102=os.urandom(20), a101=os.urandom(40), a81=os.urandom(40),\n"
            "             a82=os.urandom(16), a11=os.urandom(900))\n"
            "    rows.append([v[n] for n in names])\n"
            "db.executemany('INSERT INTO nssPublic VALUES (%s)' % ','.join('?' * len(names)), rows)\n"
            "db.commit()\n",
            (database.folder() / "cert9.db").string()});
  const auto contents = store_at(database.folder())->read();
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_EQ(contents->certificates.size(), 3U);  // the rest was not even parsed
  EXPECT_TRUE(contents->problems.empty());
  EXPECT_TRUE(signs(*contents->keys.at(0)));
}

}  // namespace
}  // namespace devtrust
